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
            int64_t *trial = (int64_t *)(arena + 4184);
            int64_t trial_value = trial[0];
            if (trial_value == 0) {
                int64_t *pace = (int64_t *)(arena + 4184);
                pace[0] = 1;
                int64_t *pace_2 = (int64_t *)(arena + 4192);
                pace_2[0] = 1;
                int64_t *pace_3 = (int64_t *)(arena + 4176);
                pace_3[0] = 2;
                int64_t *pace_4 = (int64_t *)(arena + 4216);
                pace_4[0] = 288230376151711744;
                int64_t *pace_5 = (int64_t *)(arena + 4200);
                pace_5[0] = 288230376151711744;
                int64_t *pace_6 = (int64_t *)(arena + 4208);
                pace_6[0] = 288230376151711744;
            }
            bool any = step < last;
            if (any) {
                bool logical_and2;
                do {
                    int64_t *stage = (int64_t *)(arena + 4176);
                    int64_t stage_value = stage[0];
                    bool equal1 = stage_value == 4;
                    int64_t *kept = (int64_t *)(arena + 4232);
                    int64_t kept_value = kept[0];
                    int64_t chosen0 = equal1 ? kept_value : 0;
                    bool less0 = 1 < stage_value;
                    bool less1 = stage_value < 4;
                    bool logical_and0 = less0 && less1;
                    int64_t chosen1 = logical_and0 ? 1 : chosen0;
                    bool together = chosen1 == 1;
                    int64_t *stage_2 = (int64_t *)(arena + 4176);
                    stage_value = stage_2[0];
                    bool equal2 = stage_value == 4;
                    int64_t *trial_2 = (int64_t *)(arena + 4184);
                    int64_t trial1 = trial_2[0];
                    int64_t chosen2 = equal2 ? 4 : 1;
                    int64_t product0 = trial1 * chosen2;
                    int64_t *left = (int64_t *)(arena + 4192);
                    int64_t left_value = left[0];
                    int64_t minimum0 = minimum_i64(left_value, product0);
                    int64_t sum = step + minimum0;
                    int64_t until = minimum_i64(sum, last);
                    if (together) {
                        int64_t *pace_7 = (int64_t *)(arena + 4160);
                        pace_7[0] = step;
                        int64_t *pace_8 = (int64_t *)(arena + 4168);
                        pace_8[0] = until;
                        barrier(arena, thread, threads);
                    }
                    int64_t before = clock_ticks();
                    int64_t members = together ? threads : 1;
                    bool train_steps_value = train_steps(arena, table, job, step, until, thread,
                            members);
                    int64_t after = clock_ticks();
                    int64_t ticks = after - before;
                    int64_t difference0 = until - step;
                    int64_t *trial_3 = (int64_t *)(arena + 4184);
                    trial1 = trial_3[0];
                    int64_t product1 = ticks * trial1;
                    int64_t of_trial = product1 / difference0;
                    int64_t *alone = (int64_t *)(arena + 4216);
                    int64_t alone_value = alone[0];
                    int64_t *stage_3 = (int64_t *)(arena + 4176);
                    stage_value = stage_3[0];
                    bool equal3 = stage_value == 4;
                    bool logical_and1 = together && equal3;
                    bool untried = alone_value == 288230376151711744;
                    int64_t *least = (int64_t *)(arena + 4200);
                    int64_t least_value = least[0];
                    int64_t product2 = least_value * 12;
                    int64_t product3 = alone_value * 9;
                    int64_t eighths = untried ? product2 : product3;
                    int64_t product4 = of_trial * 8;
                    bool less2 = eighths < product4;
                    bool behind = logical_and1 && less2;
                    int64_t *least_2 = (int64_t *)(arena + 4200);
                    least_value = least_2[0];
                    int64_t *second = (int64_t *)(arena + 4208);
                    int64_t second_value = second[0];
                    int64_t maximum = maximum_i64(least_value, of_trial);
                    int64_t minimum1 = minimum_i64(second_value, maximum);
                    int64_t minimum2 = minimum_i64(least_value, of_trial);
                    int64_t *pace_9 = (int64_t *)(arena + 4200);
                    pace_9[0] = minimum2;
                    int64_t *pace_10 = (int64_t *)(arena + 4208);
                    pace_10[0] = minimum1;
                    int64_t *left_2 = (int64_t *)(arena + 4192);
                    left_value = left_2[0];
                    int64_t difference1 = left_value - difference0;
                    int64_t *pace_11 = (int64_t *)(arena + 4192);
                    pace_11[0] = difference1;
                    if (behind) {
                        int64_t *pace_12 = (int64_t *)(arena + 4224);
                        pace_12[0] = 0;
                    }
                    int64_t chosen3 = behind ? 0 : difference1;
                    bool ends = chosen3 == 0;
                    if (ends) {
                        int64_t *alone_2 = (int64_t *)(arena + 4216);
                        int64_t alone1 = alone_2[0];
                        bool unknown = alone1 == 288230376151711744;
                        int64_t *stage_4 = (int64_t *)(arena + 4176);
                        int64_t stage1 = stage_4[0];
                        bool equal4 = stage1 == 2;
                        bool begins = unknown && equal4;
                        if (begins) {
                            int64_t *least_3 = (int64_t *)(arena + 4200);
                            int64_t least1 = least_3[0];
                            bool long_ = 1048576 <= least1;
                            int64_t chosen4 = long_ ? 1 : 0;
                            int64_t *pace_13 = (int64_t *)(arena + 4232);
                            pace_13[0] = chosen4;
                            int64_t chosen5 = long_ ? 4 : 0;
                            int64_t *pace_14 = (int64_t *)(arena + 4176);
                            pace_14[0] = chosen5;
                            int64_t chosen6 = long_ ? 128 : 1;
                            int64_t *pace_15 = (int64_t *)(arena + 4192);
                            pace_15[0] = chosen6;
                        } else {
                            int64_t *stage_5 = (int64_t *)(arena + 4176);
                            int64_t stage2 = stage_5[0];
                            bool measured = stage2 == 1;
                            bool less4 = 0 < minimum1;
                            bool less5 = minimum1 < 262144;
                            bool short_ = less4 && less5;
                            bool again = measured && short_;
                            int64_t *trial_4 = (int64_t *)(arena + 4184);
                            int64_t trial2 = trial_4[0];
                            int64_t product5 = trial2 * 2;
                            int64_t steps = again ? product5 : trial2;
                            bool equal5 = stage2 == 4;
                            int64_t sum1 = stage2 + 1;
                            int64_t chosen4 = equal5 ? 0 : sum1;
                            int64_t following = again ? 1 : chosen4;
                            int64_t masked = following & 1;
                            bool warms = masked == 0;
                            int64_t minimum3 = minimum_i64(steps, 2);
                            int64_t product6 = steps * 3;
                            int64_t chosen5 = warms ? minimum3 : product6;
                            int64_t *pace_16 = (int64_t *)(arena + 4184);
                            pace_16[0] = steps;
                            int64_t *pace_17 = (int64_t *)(arena + 4192);
                            pace_17[0] = chosen5;
                            int64_t *pace_18 = (int64_t *)(arena + 4176);
                            pace_18[0] = following;
                            if (measured) {
                                int64_t *pace_19 = (int64_t *)(arena + 4216);
                                pace_19[0] = minimum1;
                            }
                            if (stage2 == 3) {
                                int64_t *alone_3 = (int64_t *)(arena + 4216);
                                int64_t alone2 = alone_3[0];
                                bool less_equal = minimum1 <= alone2;
                                int64_t together1 = less_equal ? 1 : 0;
                                int64_t *kept_2 = (int64_t *)(arena + 4232);
                                int64_t kept1 = kept_2[0];
                                bool same = together1 == kept1;
                                int64_t *stretch = (int64_t *)(arena + 4224);
                                int64_t stretch0 = stretch[0];
                                int64_t product7 = stretch0 * 8;
                                int64_t minimum4 = minimum_i64(product7, 1024);
                                int64_t chosen6 = less_equal ? 128 : 32;
                                int64_t chosen7 = same ? minimum4 : 0;
                                int64_t stretch1 = maximum_i64(chosen7, chosen6);
                                int64_t *pace_20 = (int64_t *)(arena + 4232);
                                pace_20[0] = together1;
                                int64_t *pace_21 = (int64_t *)(arena + 4224);
                                pace_21[0] = stretch1;
                                int64_t product8 = steps * stretch1;
                                int64_t *pace_22 = (int64_t *)(arena + 4192);
                                pace_22[0] = product8;
                            }
                        }
                        int64_t *pace_23 = (int64_t *)(arena + 4200);
                        pace_23[0] = 288230376151711744;
                        int64_t *pace_24 = (int64_t *)(arena + 4208);
                        pace_24[0] = 288230376151711744;
                    }
                    bool less3 = until < last;
                    logical_and2 = train_steps_value && less3;
                    step = until;
                } while (logical_and2);
            }
            int64_t *pace_25 = (int64_t *)(arena + 4160);
            pace_25[0] = last;
            int64_t *pace_26 = (int64_t *)(arena + 4168);
            pace_26[0] = last;
            barrier(arena, thread, threads);
        } else {
            bool some;
            do {
                barrier(arena, thread, threads);
                int64_t *now = (int64_t *)(arena + 4160);
                int64_t now_value = now[0];
                int64_t *until_2 = (int64_t *)(arena + 4168);
                int64_t until = until_2[0];
                some = now_value < until;
                if (some) {
                    train_steps(arena, table, job, now_value, until, thread, threads);
                }
            } while (some);
        }
    }
}
