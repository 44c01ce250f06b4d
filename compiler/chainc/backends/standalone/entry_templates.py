"""LLVM text of the functions that C calls, with holes; `entry_points` says what they do.

A `%data` is the struct of a data set in 64-bit words: rows, a pointer for each array, and the
word whose bit i says that array i holds uint8. A `%job` is the data, the validation data, the
number of epochs, and the history.
"""

from __future__ import annotations

from string import Template

ENTRY = Template("""\
define $result @${name}($arguments) nounwind "no-builtins" {
entry:
$body
}
""")

INTERNAL = Template("""\
define internal i32 @${name}($arguments) noinline nounwind "no-builtins" {
entry:
$body
}
""")

GUARD = Template("""\
$test
  br i1 %fine.$number, label %passed.$number, label %refused.$number
refused.$number:
  ret i32 $result
passed.$number:""")

NOT_NULL = Template("  %fine.$number = icmp ne ptr $pointer, null")

WITHIN = Template("""\
  %above.$number = sub i64 $value, $least
  %fine.$number = icmp ule i64 %above.$number, $width""")

# a last batch has no rows, or as many as a step needs
LAST_BATCH = Template("""\
  %rest.$number = urem i64 $rows, $batch
  %none.$number = icmp eq i64 %rest.$number, 0
  %enough.$number = icmp uge i64 %rest.$number, $least
  %fine.$number = or i1 %none.$number, %enough.$number""")

BELOW = Template("  %fine.$number = icmp ult i64 $value, $bound")

NO_OTHER_BITS = Template("""\
  %others.$number = and i64 $value, $others
  %fine.$number = icmp eq i64 %others.$number, 0""")

CHECKED = Template("""\
  %result.$number = call i32 @$function(ptr $pointer)
  %fine.$number = icmp eq i32 %result.$number, 0""")

INDICES = Template("""\
  %indices.$number = mul i64 %rows, $elements
  %fine.$number = call i1 @indices.$kind(ptr $pointer, i64 %indices.$number, $kind $bound)""")

WORD = Template("""\
  %$name.at = getelementptr i64, ptr $pointer, i64 $word
  %$name = load $kind, ptr %$name.at, align 8""")

STORE = Template("""\
  %$name.at = getelementptr i8, ptr %arena, i64 $offset
  store $kind $value, ptr %$name.at, align 1""")

LOAD = Template("""\
  %$name.at = getelementptr i8, ptr %arena, i64 $offset
  %$name = load i64, ptr %$name.at, align 8""")

CLEAR = """\
define internal void @clear(ptr %space, i64 %bytes) noinline nounwind "no-builtins" {
entry:
  br label %next
next:
  %done = phi i64 [ 0, %entry ], [ %more, %next ]
  %at = getelementptr i8, ptr %space, i64 %done
  store <8 x i64> zeroinitializer, ptr %at, align 64
  %more = add i64 %done, 64
  %again = icmp ult i64 %more, %bytes
  br i1 %again, label %next, label %end
end:
  ret void
}
"""

# true: all of them lie in 0 … bound - 1
INDICES_WITHIN = Template("""\
define internal i1 @indices.$kind(ptr %values, i64 %count, $kind %bound)
    noinline nounwind "no-builtins" {
entry:
  br label %test
test:
  %done = phi i64 [ 0, %entry ], [ %more, %next ]
  %left = icmp ult i64 %done, %count
  br i1 %left, label %next, label %fine
next:
  %at = getelementptr $kind, ptr %values, i64 %done
  %value = load $kind, ptr %at, align $size
  %within = icmp ult $kind %value, %bound
  %more = add i64 %done, 1
  br i1 %within, label %test, label %bad
fine:
  ret i1 true
bad:
  ret i1 false
}
""")

# may it be used, and has this version of the program prepared it?
ARENA_CHECKS = Template("""\
define internal i32 @arena.aligned(ptr %arena) noinline nounwind {
  %address = ptrtoint ptr %arena to i64
  %low = and i64 %address, 63
  %given = icmp ne ptr %arena, null
  %aligned = icmp eq i64 %low, 0
  %fine = and i1 %given, %aligned
  %result = select i1 %fine, i32 0, i32 $bad_argument
  ret i32 %result
}

define internal i32 @arena.check(ptr %arena) noinline nounwind {
entry:
  %usable = call i32 @arena.aligned(ptr %arena)
  %aligned = icmp eq i32 %usable, 0
  br i1 %aligned, label %look, label %refused
look:
  %at = getelementptr i8, ptr %arena, i64 $offset
  %found = load i64, ptr %at, align 8
  %same = icmp eq i64 %found, $mark
  %result = select i1 %same, i32 0, i32 $bad_arena
  ret i32 %result
refused:
  ret i32 %usable
}
""")

OPTIONAL_DATA = """\
  %rows = load i64, ptr %data, align 8
  %none = icmp eq i64 %rows, 0
  br i1 %none, label %nothing, label %some
nothing:
  ret i32 0
some:
  %result = call i32 @data.check(ptr %data)
  ret i32 %result"""

FAILURE = Template("""\
  %failure.at = getelementptr i8, ptr %arena, i64 $offset
  %failure = load atomic i64, ptr %failure.at monotonic, align 8
  %whole = icmp eq i64 %failure, 0
  %outcome = select i1 %whole, i32 0, i32 $bad_index
  ret i32 %outcome""")

VERSION = Template("""\
@version = private unnamed_addr constant [$length x i8] c"$text\\00", align 1
""")
VERSION_RESULT = "  ret ptr @version"

INIT = Template("""\
$guards
  call void @clear(ptr %arena, i64 $arena_bytes)
$stores
  %before = call i32 @environment.enter()
$calls
  call void @environment.leave(i32 %before)
  ret i32 0""")

COPY = Template("""\
  %table = alloca ptr, align 8
$guards
  store ptr %values, ptr %table, align 8
  switch i32 %tensor, label %unknown [ $cases ]
$copies
unknown:
  ret i32 $bad_argument""")

COPY_ONE = Template("""\
tensor.$i:
  call void @tensor.$i.$direction(ptr %arena, ptr %table, i64 1, i64 0, i64 1)
  ret i32 0""")

STOP = Template("""\
  %stop.at = getelementptr i8, ptr %arena, i64 $offset
  store atomic i64 1, ptr %stop.at release, align 8
  ret void""")

RECORDS = Template("""\
  %records.at = getelementptr i8, ptr %arena, i64 $offset
  %records = load atomic i64, ptr %records.at acquire, align 8
  ret i64 %records""")

WORK = Template("""\
  %table = alloca [$places x ptr], align 8
$guards
  %plan = getelementptr i8, ptr %arena, i64 $plan
  %before = call i32 @environment.enter()
  call void @train.loop(ptr %arena, ptr %table, ptr %plan, i64 %thread, i64 %threads)
  call void @environment.leave(i32 %before)
$failure""")

TRAIN = """\
  %begun = call i32 @begin(ptr %arena, ptr %job)
  %ready = icmp eq i32 %begun, 0
  br i1 %ready, label %go, label %refused
refused:
  ret i32 %begun
go:
  %result = call i32 @work(ptr %arena, ptr %job, i64 0, i64 1)
  ret i32 %result"""

FORWARD = Template("""\
  %result = call i32 @$function($arguments)
  ret i32 %result""")

SINGLE = Template("""\
  %table = alloca [$places x ptr], align 8
$guards
  %before = call i32 @environment.enter()
  call void @$routine(ptr %arena, ptr %table, ptr %outputs, i64 %rows, i64 %bytes)
  call void @environment.leave(i32 %before)
$failure""")

PREDICT = Template("""\
  %table = alloca [$places x ptr], align 8
$guards
$stores
  %before = call i32 @environment.enter()
  br label %next
next:
  %start = phi i64 [ 0, %$block ], [ %start.next, %next ]
  %left = sub i64 %rows, %start
  %short = icmp slt i64 %left, $batch
  %part = select i1 %short, i64 %left, i64 $batch
$table
  call void @predict(ptr %arena, ptr %table, i64 %part, i64 0, i64 1)
  %start.next = add i64 %start, $batch
  %again = icmp slt i64 %start.next, %rows
  br i1 %again, label %next, label %end
end:
  call void @environment.leave(i32 %before)
$failure""")

PLACE = Template("""\
  %place.$place = getelementptr ptr, ptr %table, i64 $place
  store ptr $pointer, ptr %place.$place, align 8""")

FROM_ROW = Template("""\
  %bytes.$place = mul i64 %start, $row_bytes
  %from.$place = getelementptr i8, ptr $pointer, i64 %bytes.$place""")
