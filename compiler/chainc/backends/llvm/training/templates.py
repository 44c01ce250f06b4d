"""LLVM text of the training loop, with holes; `training` says what it does."""

from __future__ import annotations

from string import Template

TRAIN = Template("""\
define void @train(ptr %arena, ptr %table, ptr %job, i64 %thread, i64 %threads) nounwind {
  %before = call i32 @environment.enter()
  call void @train.loop(ptr %arena, ptr %table, ptr %job, i64 %thread, i64 %threads)
  call void @environment.leave(i32 %before)
  ret void
}

define void @validate(ptr %arena, ptr %table, ptr %job, i64 %thread, i64 %threads) nounwind {
  %before = call i32 @environment.enter()
  call i1 @record(ptr %arena, ptr %table, ptr %job, i64 0, i64 %thread, i64 %threads)
  call void @environment.leave(i32 %before)
  ret void
}

define internal void @train.loop($signature) noinline nounwind "no-builtins" {
entry:
$job
  %steps.more = add i64 %count, $last_row
  %steps = udiv i64 %steps.more, $batch
  %epoch.first = udiv i64 %first, %steps
  %batch.first = urem i64 %first, %steps
  %start.first = mul i64 %batch.first, $batch
$order
$slot
  %leads = icmp eq i64 %thread, 0
  %any = icmp slt i64 %first, %last
  br i1 %any, label %step, label %end

step:
  %now = phi i64 [ %first, %entry ], [ %now.next, %advance ]
  %epoch = phi i64 [ %epoch.first, %entry ], [ %epoch.next, %advance ]
  %start = phi i64 [ %start.first, %entry ], [ %start.next, %advance ]
  %from = phi i64 [ 0, %entry ], [ %from.next, %advance ]
  %until = phi i64 [ 0, %entry ], [ %until.next, %advance ]
  %orders = phi i64 [ 0, %entry ], [ %orders.next, %advance ]
  %seen = phi i64 [ 0, %entry ], [ %seen.next, %advance ]
  br i1 %leads, label %decide, label %look
decide:
  call void @decide(ptr %arena)
  br label %look
look:
  %known = icmp slt i64 %start, %until
  br i1 %known, label %gather, label %make
$make
gather:
  %known.from = phi i64 [ %from, %look ], [ %made.from, %make_rows ]
  %known.until = phi i64 [ %until, %look ], [ %made.until, %make_rows ]
  %known.orders = phi i64 [ %orders, %look ], [ %together, %make_rows ]
  %left = sub i64 %count, %start
  %short = icmp slt i64 %left, $batch
  %rows = select i1 %short, i64 %left, i64 $batch
  %place = sub i64 %start, %known.from
  %chosen = getelementptr i64, ptr %order, i64 %place
  call void @step.gather(ptr %arena, ptr %table, ptr %chosen, i64 %rows, i64 %bytes, $threads)
  call void @barrier(ptr %arena, $threads)
$go
  br i1 %stopped, label %leave, label %run
run:
  call void @"$step"(ptr %arena, ptr %table, i64 %rows, $threads)
  call void @barrier(ptr %arena, $threads)
$failure
  br i1 %failed, label %failing, label %passed
passed:
  br i1 %leads, label %count_up, label %counted
count_up:
  call void @step.add(ptr %arena, i64 %rows)
  call void @step.done(ptr %arena)
  br label %counted
counted:
  %now.next = add i64 %now, 1
  %start.after = add i64 %start, $batch
  %seen.after = add i64 %seen, %rows
  %within = icmp slt i64 %start.after, %count
  br i1 %within, label %advance, label %finish
finish:
  %recorded = call i1 @record(ptr %arena, ptr %table, ptr %job, i64 %seen.after, $threads)
  %epoch.after = add i64 %epoch, 1
  %from.after = sub i64 %known.from, $apart
  %orders.after = sub i64 %known.orders, 1
  %used_up = icmp eq i64 %orders.after, 0
  %until.after = select i1 %used_up, i64 0, i64 %known.until
  br i1 %recorded, label %advance, label %failing
advance:
  %epoch.next = phi i64 [ %epoch, %counted ], [ %epoch.after, %finish ]
  %start.next = phi i64 [ %start.after, %counted ], [ 0, %finish ]
  %from.next = phi i64 [ %known.from, %counted ], [ %from.after, %finish ]
  %until.next = phi i64 [ %known.until, %counted ], [ %until.after, %finish ]
  %orders.next = phi i64 [ %known.orders, %counted ], [ %orders.after, %finish ]
  %seen.next = phi i64 [ %seen.after, %counted ], [ 0, %finish ]
  %again = icmp slt i64 %now.next, %last
  br i1 %again, label %step, label %end

leave:
  %some = icmp sgt i64 %seen, 0
  br i1 %some, label %partial, label %end
partial:
  %kept = call i1 @record(ptr %arena, ptr %table, ptr %job, i64 %seen, $threads)
  br i1 %kept, label %end, label %failing
failing:
  br i1 %leads, label %note, label %end
note:
  %failed.at = getelementptr i8, ptr %arena, i64 $failed_step
  store atomic i64 %now, ptr %failed.at release, align 8
  br label %end
end:
  ret void
}
""")

# Rows from … until - 1 of this epoch's order are known, and of the orders after it, a slot apart
# each: for few rows those of several epochs are made at once.
SLOT = Template("""\
  %slot = call i64 @order.slot(i64 %count)
  %together = udiv i64 $lanes, %slot
  %few = icmp sle i64 %count, $lanes
  %keys = getelementptr i8, ptr %order, i64 $keys""")

MAKE_SHUFFLED = Template("""\
make:
  %new = icmp eq i64 %orders, 0
  br i1 %new, label %make_keys, label %make_rows
make_keys:
  call void @order.keys(ptr %keys, i64 %seed, i64 %epoch, i64 %slot)
  br label %make_rows
make_rows:
  %made.from = select i1 %few, i64 0, i64 %start
  call void @order.rows(ptr %order, ptr %keys, i64 %made.from, i64 %count, i64 %slot)
  %part.until = add i64 %start, $rows
  %made.until = select i1 %few, i64 %count, i64 %part.until
  br label %gather""")

MAKE_GIVEN = Template("""\
make:
  br label %make_rows
make_rows:
  %made.from = phi i64 [ %start, %make ]
  %together = phi i64 [ 1, %make ]
  call void @order.given(ptr %order, i64 %start, i64 %count)
  %made.until = add i64 %start, $rows
  br label %gather""")

# what thread 0 alone does around a step
LEADING = Template("""\
define internal void @decide(ptr %arena) alwaysinline nounwind {
  %stop.at = getelementptr i8, ptr %arena, i64 $stop
  %stop = load atomic i64, ptr %stop.at acquire, align 8
  %on = icmp eq i64 %stop, 0
  %go = zext i1 %on to i64
  %go.at = getelementptr i8, ptr %arena, i64 $go
  store i64 %go, ptr %go.at, align 8
  ret void
}

define internal void @step.done(ptr %arena) alwaysinline nounwind {
  %steps.at = getelementptr i8, ptr %arena, i64 $steps
  %steps = load i64, ptr %steps.at, align 8
  %more = add i64 %steps, 1
  store atomic i64 %more, ptr %steps.at release, align 8
  ret void
}
""")

# rows start … start + $rows - 1, or those of them that there are
GIVEN_ORDER = Template("""\
define internal void @order.given(ptr %order, i64 %start, i64 %count)
    noinline nounwind "no-builtins" {
entry:
  %left = sub i64 %count, %start
  %wanted = call i64 @llvm.umin.i64(i64 %left, i64 $rows)
  br label %next
next:
  %done = phi i64 [ 0, %entry ], [ %more, %next ]
  %first = add i64 %start, %done
  %one = insertelement <8 x i64> poison, i64 %first, i64 0
  %same = shufflevector <8 x i64> %one, <8 x i64> poison, <8 x i32> zeroinitializer
  %row = add <8 x i64> %same, <i64 0, i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7>
  %target = getelementptr i64, ptr %order, i64 %done
  store <8 x i64> %row, ptr %target, align 64
  %more = add i64 %done, 8
  %again = icmp slt i64 %more, %wanted
  br i1 %again, label %next, label %end
end:
  ret void
}
""")

GATHER = Template("""\
define internal void @$visit.gather(ptr %arena, ptr %table, ptr %order, i64 %rows, i64 %bytes,
    i64 %thread, i64 %threads) alwaysinline nounwind {
entry:
$calls
  ret void
}
""")

GATHER_ONE = Template("""\
  %slot.$i = getelementptr ptr, ptr %table, i64 $array
  %data.$i = load ptr, ptr %slot.$i, align 8
  %batch.$i = getelementptr i8, ptr %arena, i64 $batch
$call""")

GATHER_CALL = Template("""\
  call void @"$function"(ptr %data.$i, ptr %order, ptr %batch.$i, i64 %rows, $threads)""")

GATHER_CHOICE = Template("""\
  %bit.$i = and i64 %bytes, $mask
  %declared.$i = icmp eq i64 %bit.$i, 0
  br i1 %declared.$i, label %declared_type.$i, label %bytes.$i
declared_type.$i:
$plain
  br label %gathered.$i
bytes.$i:
$converting
  br label %gathered.$i
gathered.$i:""")

ADD = Template("""\
define internal void @$visit.add(ptr %arena, i64 %rows) alwaysinline nounwind {
  %weight = sitofp i64 %rows to double
$sums
  ret void
}
""")

ADD_ONE = Template("""\
  %value.at.$i = getelementptr i8, ptr %arena, i64 $offset
  %value.$i = load $memory, ptr %value.at.$i, align $size
  %double.$i = $widened
  %product.$i = fmul double %double.$i, %weight
  %total.at.$i = getelementptr i8, ptr %arena, i64 $total
  %before.$i = load double, ptr %total.at.$i, align 8
  %after.$i = fadd double %before.$i, %product.$i
  store double %after.$i, ptr %total.at.$i, align 8""")

# false: a kernel has failed
RECORD = Template("""\
define internal i1 @record(ptr %arena, ptr %table, ptr %job, i64 %seen, i64 %thread, i64 %threads)
    noinline nounwind "no-builtins" {
entry:
$job
$order
  %leads = icmp eq i64 %thread, 0
  %any = icmp sgt i64 %held_out, 0
  br i1 %any, label %batch, label %complete

batch:
  %start = phi i64 [ 0, %entry ], [ %start.next, %counted ]
  call void @order.given(ptr %order, i64 %start, i64 %held_out)
  %left = sub i64 %held_out, %start
  %short = icmp slt i64 %left, $batch
  %rows = select i1 %short, i64 %left, i64 $batch
  call void @evaluate.gather(ptr %arena, ptr %table, ptr %order, i64 %rows, i64 %bytes, $threads)
  call void @barrier(ptr %arena, $threads)
  call void @"$evaluate"(ptr %arena, ptr %table, i64 %rows, $threads)
  call void @barrier(ptr %arena, $threads)
$failure
  br i1 %failed, label %failing, label %passed
passed:
  br i1 %leads, label %count_up, label %counted
count_up:
  call void @evaluate.add(ptr %arena, i64 %rows)
  br label %counted
counted:
  %start.next = add i64 %start, $batch
  %again = icmp slt i64 %start.next, %held_out
  br i1 %again, label %batch, label %complete

complete:
  br i1 %leads, label %write, label %end
write:
  call void @record.write(ptr %arena, ptr %table, i64 %seen, i64 %held_out)
  br label %end
end:
  ret i1 true
failing:
  ret i1 false
}

define internal void @record.write(ptr %arena, ptr %table, i64 %seen, i64 %held_out)
    alwaysinline nounwind {
  %epochs.at = getelementptr i8, ptr %arena, i64 $epochs
  %epochs = load i64, ptr %epochs.at, align 8
  %slot = getelementptr ptr, ptr %table, i64 $history
  %records = load ptr, ptr %slot, align 8
  %place = mul i64 %epochs, $columns
  %record = getelementptr double, ptr %records, i64 %place
$columns_written
  %more = add i64 %epochs, 1
  store atomic i64 %more, ptr %epochs.at release, align 8
  ret void
}
""")

COUNT_COLUMN = Template("""\
  %count.$column = sitofp i64 %$rows to double
  %column.$column = getelementptr double, ptr %record, i64 $column
  store double %count.$column, ptr %column.$column, align 8""")

SUM_COLUMN = Template("""\
  %total.at.$column = getelementptr i8, ptr %arena, i64 $total
  %total.$column = load double, ptr %total.at.$column, align 8
  store double 0.0, ptr %total.at.$column, align 8
  %column.$column = getelementptr double, ptr %record, i64 $column
  store double %total.$column, ptr %column.$column, align 8""")

JOB_WORD = Template("""\
  %$name.at = getelementptr i64, ptr %job, i64 $word
  %$name = load i64, ptr %$name.at, align 8""")

OWN_ORDER = Template("""\
  %order.own = mul i64 %thread, $order_bytes
  %order.at = add i64 %order.own, $orders
  %order = getelementptr i8, ptr %arena, i64 %order.at""")

GO = Template("""\
  %go.at = getelementptr i8, ptr %arena, i64 $go
  %go = load i64, ptr %go.at, align 8
  %stopped = icmp eq i64 %go, 0""")

FAILURE = Template("""\
  %failure.at = getelementptr i8, ptr %arena, i64 $failure
  %failure = load atomic i64, ptr %failure.at monotonic, align 8
  %failed = icmp ne i64 %failure, 0""")
