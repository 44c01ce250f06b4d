// rows of the data become a batch
static void step_gather(unsigned char *arena, void **table, int64_t *order, int64_t rows,
        int64_t bytes, int64_t thread) {
    bool first = thread == 0;
    int64_t masked = bytes & 1;
    bool declared = masked == 0;
    if (declared) {
        if (first) {
            x(table[7], order, (float *)(arena + 7040), rows);
        }
    } else {
        if (first) {
            x_2(table[7], order, (float *)(arena + 7040), rows);
        }
    }
    if (first) {
        y(table[8], order, (int32_t *)(arena + 7232), rows);
    }
}

// straight-line code for whole batches
static void step_2(unsigned char *arena, int64_t rows, int64_t thread) {
    bool partial = rows < 8;
    if (partial) {
        step_rows(arena, rows, thread);
    } else {
        step_batch(arena, thread);
    }
}

// some steps of all epochs
static bool train_steps(unsigned char *arena, void **table, int64_t *job, int64_t first,
        int64_t until, int64_t thread, int64_t threads) {
    bool first1 = thread == 0;
    int64_t count = job[0];
    int64_t bytes = job[5];
    int64_t *order = (int64_t *)(arena + 8704*thread + 11584);
    int64_t seed = job[3];
    int64_t order_slot_value = order_slot(count);
    int64_t together = 64 / order_slot_value;
    bool few = count <= 64;
    bool any = first < until;
    bool goes_on;
    if (any) {
        int64_t sum = count + 7;
        int64_t steps = sum / 8;
        int64_t epoch = first / steps;
        int64_t product = epoch * steps;
        int64_t difference = first - product;
        int64_t start = difference * 8;
        int64_t seen = job[8];
        int64_t known = 0;
        int64_t until1 = 0;
        int64_t orders = 0;
        bool failed = false;
        bool stopped = false;
        bool again;
        do {
            first = first + 1;
            if (first1) {
                int64_t *stop = (int64_t *)arena;
                int64_t stop_value = __atomic_load_n(&stop[0], __ATOMIC_ACQUIRE);
                bool equal = stop_value == 0;
                int64_t converted = (int64_t)equal;
                int64_t *go = (int64_t *)(arena + 24);
                go[0] = converted;
            }
            bool unknown = until1 <= start;
            if (unknown) {
                bool used_up = orders == 0;
                if (used_up) {
                    order_keys((int32_t *)((unsigned char *)order + 2560), seed, epoch,
                            order_slot_value);
                }
                known = few ? 0 : start;
                order_rows(order, (int32_t *)((unsigned char *)order + 2560), known, count,
                        order_slot_value);
                int64_t sum1 = start + 256;
                until1 = few ? count : sum1;
                orders = together;
            }
            int64_t difference1 = count - start;
            int64_t rows = minimum_i64(difference1, 8);
            int64_t difference2 = start - known;
            int64_t *chosen = (int64_t *)((unsigned char *)order + 8*difference2);
            step_gather(arena, table, chosen, rows, bytes, thread);
            barrier(arena, thread, threads);
            int64_t *go_2 = (int64_t *)(arena + 24);
            int64_t go_value = go_2[0];
            bool goes = go_value == 1;
            if (goes) {
                step_2(arena, rows, thread);
                barrier(arena, thread, threads);
                int64_t *failure = (int64_t *)(arena + 16);
                int64_t failure_value = __atomic_load_n(&failure[0], __ATOMIC_ACQUIRE);
                bool passed = failure_value == 0;
                if (passed) {
                    if (first1) {
                        step_add(arena, rows);
                        int64_t *steps_done = (int64_t *)(arena + 8);
                        int64_t steps_done_value = steps_done[0];
                        int64_t sum1 = steps_done_value + 1;
                        __atomic_store_n(&steps_done[0], sum1, __ATOMIC_RELEASE);
                    }
                    start = start + 8;
                    seen = seen + rows;
                    bool over = count <= start;
                    if (over) {
                        bool record_value = record(arena, table, job, seen, thread, threads);
                        failed = !record_value;
                        orders = orders - 1;
                        epoch = epoch + 1;
                        known = known - order_slot_value;
                        bool used_up = orders == 0;
                        until1 = used_up ? 0 : until1;
                        start = 0;
                        seen = 0;
                    } else {
                        failed = false;
                    }
                    bool more = first < until;
                    bool logical_not3 = !failed;
                    again = more && logical_not3;
                } else {
                    failed = true;
                    again = false;
                }
            } else {
                failed = false;
                again = false;
            }
            stopped = !goes;
        } while (again);
        if (first1) {
            int64_t chosen_value = stopped ? 0 : seen;
            job[8] = chosen_value;
        }
        bool less = 0 < seen;
        bool logical_not0 = !failed;
        bool logical_and0 = stopped && logical_not0;
        bool partial = less && logical_and0;
        if (partial) {
            bool record_value = record(arena, table, job, seen, thread, threads);
            failed = !record_value;
        }
        if (failed && first1) {
            int64_t *failed_step = (int64_t *)(arena + 40);
            int64_t difference1 = first - 1;
            __atomic_store_n(&failed_step[0], difference1, __ATOMIC_RELEASE);
        }
        bool logical_not1 = !stopped;
        bool logical_not2 = !failed;
        goes_on = logical_not1 && logical_not2;
    } else {
        goes_on = true;
    }
    return goes_on;
}

// all epochs, on as many threads as are quickest
static void train_loop(unsigned char *arena, void **table, int64_t *job, int64_t thread,
        int64_t threads) {
    bool first = thread == 0;
    int64_t step = job[1];
    int64_t last = job[2];
    bool single = threads == 1;
    if (single) {
        train_steps(arena, table, job, step, last, thread, threads);
    } else {
        if (first) {
            int64_t *trial = (int64_t *)(arena + 4168);
            int64_t trial_value = trial[0];
            if (trial_value == 0) {
                int64_t *pace = (int64_t *)(arena + 4168);
                pace[0] = 1;
                int64_t *pace_2 = (int64_t *)(arena + 4176);
                pace_2[0] = 1;
                int64_t *pace_3 = (int64_t *)(arena + 4160);
                pace_3[0] = 2;
                int64_t *pace_4 = (int64_t *)(arena + 4200);
                pace_4[0] = 288230376151711744;
                int64_t *pace_5 = (int64_t *)(arena + 4232);
                pace_5[0] = 4;
                int64_t *pace_6 = (int64_t *)(arena + 4184);
                pace_6[0] = 288230376151711744;
                int64_t *pace_7 = (int64_t *)(arena + 4192);
                pace_7[0] = 288230376151711744;
            }
            bool any = step < last;
            if (any) {
                bool goes_on;
                do {
                    int64_t *stage = (int64_t *)(arena + 4160);
                    int64_t stage_value = stage[0];
                    bool equal1 = stage_value == 4;
                    int64_t *kept = (int64_t *)(arena + 4216);
                    int64_t kept_value = kept[0];
                    int64_t chosen0 = equal1 ? kept_value : 0;
                    bool less0 = 1 < stage_value;
                    bool less1 = stage_value < 4;
                    bool logical_and0 = less0 && less1;
                    int64_t chosen1 = logical_and0 ? 1 : chosen0;
                    bool together = chosen1 == 1;
                    int64_t before = clock_ticks();
                    int64_t *again = (int64_t *)(arena + 4240);
                    int64_t again_value = again[0];
                    bool due = again_value <= before;
                    bool there;
                    if (together && due) {
                        int64_t *call = (int64_t *)(arena + 4256);
                        __atomic_store_n(&call[0], 1, __ATOMIC_RELEASE);
                        there = false;
                        bool logical_and4;
                        do {
                            int64_t *calls = (int64_t *)(arena + 4248);
                            int64_t calls1 = __atomic_load_n(&calls[0], __ATOMIC_ACQUIRE);
                            int64_t awaited = calls1 + 1;
                            int64_t other = 1;
                            there = true;
                            bool logical_and5;
                            do {
                                int64_t *ready = (int64_t *)(arena + 72);
                                int64_t ready_value = __atomic_load_n(&ready[8*other],
                                        __ATOMIC_ACQUIRE);
                                there = ready_value == awaited;
                                other = other + 1;
                                bool more = other < threads;
                                logical_and5 = there && more;
                            } while (logical_and5);
                            if (!there) {
                            }
                            int64_t later = clock_ticks();
                            int64_t difference = later - before;
                            bool early = difference < 1048576;
                            bool logical_not5 = !there;
                            logical_and4 = early && logical_not5;
                        } while (logical_and4);
                        if (!there) {
                            int64_t later = clock_ticks();
                            int64_t lost = later - before;
                            int64_t *penalty = (int64_t *)(arena + 4232);
                            int64_t penalty_value = penalty[0];
                            int64_t now = clock_ticks();
                            int64_t product1 = lost * penalty_value;
                            int64_t sum2 = now + product1;
                            int64_t *pace_8 = (int64_t *)(arena + 4240);
                            pace_8[0] = sum2;
                            int64_t product2 = penalty_value * 2;
                            int64_t minimum1 = minimum_i64(product2, 64);
                            int64_t *pace_9 = (int64_t *)(arena + 4232);
                            pace_9[0] = minimum1;
                        }
                    } else {
                        there = false;
                    }
                    if (!there) {
                        int64_t *pace_10 = (int64_t *)(arena + 4256);
                        pace_10[0] = 0;
                    }
                    int64_t *stage_2 = (int64_t *)(arena + 4160);
                    stage_value = stage_2[0];
                    bool equal2 = stage_value == 4;
                    int64_t *trial_2 = (int64_t *)(arena + 4168);
                    int64_t trial1 = trial_2[0];
                    int64_t chosen2 = equal2 ? 4 : 1;
                    int64_t product = trial1 * chosen2;
                    int64_t *left = (int64_t *)(arena + 4176);
                    int64_t left_value = left[0];
                    int64_t minimum = minimum_i64(left_value, product);
                    int64_t sum1 = step + minimum;
                    int64_t until = minimum_i64(sum1, last);
                    if (there) {
                        int64_t *call_2 = (int64_t *)(arena + 4264);
                        __atomic_store_n(&call_2[0], step, __ATOMIC_RELEASE);
                        int64_t *call_3 = (int64_t *)(arena + 4272);
                        __atomic_store_n(&call_3[0], until, __ATOMIC_RELEASE);
                        int64_t *calls_2 = (int64_t *)(arena + 4248);
                        int64_t calls1 = __atomic_load_n(&calls_2[0], __ATOMIC_ACQUIRE);
                        int64_t sum2 = calls1 + 1;
                        int64_t *call_4 = (int64_t *)(arena + 4248);
                        __atomic_store_n(&call_4[0], sum2, __ATOMIC_RELEASE);
                    }
                    int64_t members = there ? threads : 1;
                    bool train_steps_value = train_steps(arena, table, job, step, until, thread,
                            members);
                    int64_t after = clock_ticks();
                    int64_t ticks = after - before;
                    bool logical_not1 = !there;
                    bool logical_and2 = together && logical_not1;
                    bool as_wanted = !logical_and2;
                    if (as_wanted) {
                        int64_t difference0 = until - step;
                        int64_t *trial_3 = (int64_t *)(arena + 4168);
                        int64_t trial2 = trial_3[0];
                        int64_t product1 = ticks * trial2;
                        int64_t of_trial = product1 / difference0;
                        int64_t *stage_3 = (int64_t *)(arena + 4160);
                        int64_t stage1 = stage_3[0];
                        bool chosen3 = stage1 == 4;
                        int64_t *alone = (int64_t *)(arena + 4200);
                        int64_t alone_value = alone[0];
                        int64_t *least = (int64_t *)(arena + 4184);
                        int64_t least_value = least[0];
                        bool untried = alone_value == 288230376151711744;
                        bool first1 = least_value == 288230376151711744;
                        int64_t minimum1 = minimum_i64(least_value, 1099511627776);
                        int64_t product2 = minimum1 * 3;
                        int64_t half_more = product2 / 2;
                        int64_t chosen4 = untried ? half_more : alone_value;
                        int64_t *trial_4 = (int64_t *)(arena + 4168);
                        trial2 = trial_4[0];
                        int64_t minimum2 = minimum_i64(chosen4, 1099511627776);
                        int64_t product3 = minimum2 * difference0;
                        int64_t expected = product3 / trial2;
                        bool logical_and4 = untried && first1;
                        int64_t difference1 = expected - ticks;
                        int64_t gain = logical_and4 ? 0 : difference1;
                        bool logical_not3 = !chosen3;
                        bool less3 = -1048576 < gain;
                        bool logical_and5 = logical_not3 && less3;
                        bool counts = !logical_and5;
                        int64_t *balance = (int64_t *)(arena + 4224);
                        int64_t balance0 = balance[0];
                        int64_t sum2 = balance0 + gain;
                        int64_t balance1 = minimum_i64(sum2, 67108864);
                        bool lost = balance1 < 0;
                        if (there && counts) {
                            int64_t maximum1 = maximum_i64(balance1, 0);
                            int64_t *pace_11 = (int64_t *)(arena + 4224);
                            pace_11[0] = maximum1;
                            if (lost) {
                                int64_t difference3 = 0 - balance1;
                                int64_t *penalty_2 = (int64_t *)(arena + 4232);
                                int64_t penalty_value = penalty_2[0];
                                int64_t now = clock_ticks();
                                int64_t product4 = difference3 * penalty_value;
                                int64_t sum3 = now + product4;
                                int64_t *pace_12 = (int64_t *)(arena + 4240);
                                pace_12[0] = sum3;
                                int64_t product5 = penalty_value * 2;
                                int64_t minimum5 = minimum_i64(product5, 64);
                                int64_t *pace_13 = (int64_t *)(arena + 4232);
                                pace_13[0] = minimum5;
                            }
                            bool undisturbed = 16777216 < balance1;
                            if (undisturbed) {
                                int64_t *pace_14 = (int64_t *)(arena + 4232);
                                pace_14[0] = 4;
                            }
                        }
                        bool logical_and7 = chosen3 && there;
                        bool behind = logical_and7 && lost;
                        int64_t *least_2 = (int64_t *)(arena + 4184);
                        least_value = least_2[0];
                        int64_t *second = (int64_t *)(arena + 4192);
                        int64_t second_value = second[0];
                        int64_t maximum = maximum_i64(least_value, of_trial);
                        int64_t minimum3 = minimum_i64(second_value, maximum);
                        int64_t minimum4 = minimum_i64(least_value, of_trial);
                        int64_t *pace_15 = (int64_t *)(arena + 4184);
                        pace_15[0] = minimum4;
                        int64_t *pace_16 = (int64_t *)(arena + 4192);
                        pace_16[0] = minimum3;
                        int64_t *left_2 = (int64_t *)(arena + 4176);
                        int64_t left1 = left_2[0];
                        int64_t difference2 = left1 - difference0;
                        int64_t *pace_17 = (int64_t *)(arena + 4176);
                        pace_17[0] = difference2;
                        if (behind) {
                            int64_t *pace_18 = (int64_t *)(arena + 4208);
                            pace_18[0] = 0;
                        }
                        int64_t chosen5 = behind ? 0 : difference2;
                        bool ends = chosen5 == 0;
                        if (ends) {
                            int64_t *alone_2 = (int64_t *)(arena + 4200);
                            int64_t alone1 = alone_2[0];
                            bool unknown = alone1 == 288230376151711744;
                            int64_t *stage_4 = (int64_t *)(arena + 4160);
                            int64_t stage2 = stage_4[0];
                            bool equal3 = stage2 == 2;
                            bool begins = unknown && equal3;
                            if (begins) {
                                int64_t *least_3 = (int64_t *)(arena + 4184);
                                int64_t least1 = least_3[0];
                                bool long_ = 1048576 <= least1;
                                int64_t chosen6 = long_ ? 1 : 0;
                                int64_t *pace_19 = (int64_t *)(arena + 4216);
                                pace_19[0] = chosen6;
                                int64_t chosen7 = long_ ? 4 : 0;
                                int64_t *pace_20 = (int64_t *)(arena + 4160);
                                pace_20[0] = chosen7;
                                int64_t chosen8 = long_ ? 128 : 1;
                                int64_t *pace_21 = (int64_t *)(arena + 4176);
                                pace_21[0] = chosen8;
                            } else {
                                int64_t *stage_5 = (int64_t *)(arena + 4160);
                                int64_t stage3 = stage_5[0];
                                bool measured = stage3 == 1;
                                bool less4 = 0 < minimum3;
                                bool less5 = minimum3 < 262144;
                                bool short_ = less4 && less5;
                                bool again1 = measured && short_;
                                int64_t *trial_5 = (int64_t *)(arena + 4168);
                                int64_t trial3 = trial_5[0];
                                int64_t product4 = trial3 * 2;
                                int64_t steps = again1 ? product4 : trial3;
                                bool equal4 = stage3 == 4;
                                int64_t sum3 = stage3 + 1;
                                int64_t chosen6 = equal4 ? 0 : sum3;
                                int64_t following = again1 ? 1 : chosen6;
                                int64_t masked = following & 1;
                                bool warms = masked == 0;
                                int64_t minimum5 = minimum_i64(steps, 2);
                                int64_t product5 = steps * 3;
                                int64_t chosen7 = warms ? minimum5 : product5;
                                int64_t *pace_22 = (int64_t *)(arena + 4168);
                                pace_22[0] = steps;
                                int64_t *pace_23 = (int64_t *)(arena + 4176);
                                pace_23[0] = chosen7;
                                int64_t *pace_24 = (int64_t *)(arena + 4160);
                                pace_24[0] = following;
                                if (measured) {
                                    int64_t *pace_25 = (int64_t *)(arena + 4200);
                                    pace_25[0] = minimum3;
                                }
                                if (stage3 == 3) {
                                    int64_t *alone_3 = (int64_t *)(arena + 4200);
                                    int64_t alone2 = alone_3[0];
                                    bool less_equal = minimum3 <= alone2;
                                    int64_t together1 = less_equal ? 1 : 0;
                                    int64_t *kept_2 = (int64_t *)(arena + 4216);
                                    int64_t kept1 = kept_2[0];
                                    bool same = together1 == kept1;
                                    int64_t *stretch = (int64_t *)(arena + 4208);
                                    int64_t stretch0 = stretch[0];
                                    int64_t product6 = stretch0 * 8;
                                    int64_t minimum6 = minimum_i64(product6, 1024);
                                    int64_t chosen8 = less_equal ? 128 : 32;
                                    int64_t chosen9 = same ? minimum6 : 0;
                                    int64_t stretch1 = maximum_i64(chosen9, chosen8);
                                    int64_t *pace_26 = (int64_t *)(arena + 4216);
                                    pace_26[0] = together1;
                                    int64_t *pace_27 = (int64_t *)(arena + 4208);
                                    pace_27[0] = stretch1;
                                    int64_t product7 = steps * stretch1;
                                    int64_t *pace_28 = (int64_t *)(arena + 4176);
                                    pace_28[0] = product7;
                                }
                            }
                            int64_t *pace_29 = (int64_t *)(arena + 4184);
                            pace_29[0] = 288230376151711744;
                            int64_t *pace_30 = (int64_t *)(arena + 4192);
                            pace_30[0] = 288230376151711744;
                        }
                    }
                    bool less2 = until < last;
                    goes_on = train_steps_value && less2;
                    bool logical_not2 = !goes_on;
                    if (there && logical_not2) {
                        int64_t looks = 0;
                        bool logical_not4;
                        do {
                            int64_t *calls_3 = (int64_t *)(arena + 4248);
                            int64_t calls1 = __atomic_load_n(&calls_3[0], __ATOMIC_ACQUIRE);
                            int64_t awaited = calls1 + 1;
                            int64_t other = 1;
                            bool there1 = true;
                            bool logical_and4;
                            do {
                                int64_t *ready_2 = (int64_t *)(arena + 72);
                                int64_t ready_value = __atomic_load_n(&ready_2[8*other],
                                        __ATOMIC_ACQUIRE);
                                there1 = ready_value == awaited;
                                other = other + 1;
                                bool more = other < threads;
                                logical_and4 = there1 && more;
                            } while (logical_and4);
                            if (!there1) {
                                if (2000 < looks) {
                                    give_core();
                                }
                            }
                            looks = looks + 1;
                            logical_not4 = !there1;
                        } while (logical_not4);
                    }
                    step = until;
                } while (goes_on);
            }
            int64_t *pace_31 = (int64_t *)(arena + 4256);
            pace_31[0] = 0;
            int64_t *call_5 = (int64_t *)(arena + 4264);
            __atomic_store_n(&call_5[0], last, __ATOMIC_RELEASE);
            int64_t *call_6 = (int64_t *)(arena + 4272);
            __atomic_store_n(&call_6[0], last, __ATOMIC_RELEASE);
            int64_t *calls_4 = (int64_t *)(arena + 4248);
            int64_t calls_value = __atomic_load_n(&calls_4[0], __ATOMIC_ACQUIRE);
            int64_t sum = calls_value + 1;
            int64_t *call_7 = (int64_t *)(arena + 4248);
            __atomic_store_n(&call_7[0], sum, __ATOMIC_RELEASE);
        } else {
            bool some;
            do {
                int64_t *seen = (int64_t *)(arena + 80);
                int64_t seen_value = seen[8*thread];
                int64_t looks = 0;
                bool idle;
                do {
                    bool awakes = looks == 0;
                    if (awakes) {
                        int64_t sum2 = seen_value + 1;
                        int64_t *ready_3 = (int64_t *)(arena + 72);
                        __atomic_store_n(&ready_3[8*thread], sum2, __ATOMIC_RELEASE);
                    }
                    int64_t *calls_5 = (int64_t *)(arena + 4248);
                    int64_t calls_value = __atomic_load_n(&calls_5[0], __ATOMIC_ACQUIRE);
                    idle = calls_value == seen_value;
                    int64_t *wanted = (int64_t *)(arena + 4256);
                    int64_t wanted_value = __atomic_load_n(&wanted[0], __ATOMIC_ACQUIRE);
                    bool equal = wanted_value == 1;
                    bool tired = 2000 < looks;
                    bool logical_not0 = !tired;
                    if (idle && logical_not0) {
                    }
                    bool logical_not1 = !equal;
                    bool logical_and1 = tired && logical_not1;
                    if (idle && logical_and1) {
                        int64_t *ready_4 = (int64_t *)(arena + 72);
                        __atomic_store_n(&ready_4[8*thread], 0, __ATOMIC_RELEASE);
                        give_core();
                    }
                    bool logical_and3 = tired && equal;
                    int64_t sum1 = looks + 1;
                    looks = logical_and3 ? 0 : sum1;
                } while (idle);
                int64_t *now_2 = (int64_t *)(arena + 4264);
                int64_t now = now_2[0];
                int64_t *until_2 = (int64_t *)(arena + 4272);
                int64_t until = until_2[0];
                some = now < until;
                if (some) {
                    train_steps(arena, table, job, now, until, thread, threads);
                }
                int64_t *seen_2 = (int64_t *)(arena + 80);
                int64_t *ready_5 = (int64_t *)(arena + 72);
                __atomic_store_n(&ready_5[8*thread], 0, __ATOMIC_RELEASE);
                seen_value = seen_2[8*thread];
                int64_t sum = seen_value + 1;
                seen_2[8*thread] = sum;
            } while (some);
        }
    }
}
