"""The first bytes of a native program's memory: how the threads and the host talk.

All are 64-bit integers, given by their offset in bytes.
"""

STOP = 0  # set by the host: end before the next step
STEPS = 8  # steps done
FAILURE = 16  # 0, or the code of the kernel that met an index out of range or a value not finite
GO = 24  # what thread 0 decided for this step, for the others
EPOCHS = 32  # records of the history that are complete
FAILED_STEP = 40  # where the failure was
ENDED = 48  # what is done after an epoch has ended the training

CACHE_LINE = 64
BARRIERS = 64  # one cache line a thread
MAX_THREADS = 64

# what the first thread knows of how many threads are quickest; see `pace`
PACE = BARRIERS + MAX_THREADS * CACHE_LINE
STAGE, TRIAL, LEFT, LEAST, SECOND, TICKS_ALONE, STRETCH, KEPT = range(PACE, PACE + 64, 8)
BALANCE, PENALTY, AGAIN = range(PACE + 64, PACE + 88, 8)
# and how it calls the others to some steps: in a cache line that it seldom writes
CALLS, WANTED, FROM, UNTIL = range(PACE + 88, PACE + 120, 8)
READY, SEEN = 8, 16  # behind a thread's count of barriers: the call it waits for now, and the last
CONTROL_BYTES = PACE + 2 * CACHE_LINE
