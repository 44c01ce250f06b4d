// rows of the data become a batch
static void step_gather(unsigned char *arena, void **table, int64_t *order, int64_t rows,
        int64_t bytes, int64_t thread) {
    bool first = thread == 0;
    int64_t masked = bytes & 1;
    bool declared = masked == 0;
    if (declared) {
        if (first) {
            x(table[7], order, (float *)(arena + 8256), rows);
        }
    } else {
        if (first) {
            x_2(table[7], order, (float *)(arena + 8256), rows);
        }
    }
    if (first) {
        y(table[8], order, (int32_t *)(arena + 8512), rows);
    }
}

// kernels in order
static void step_2(unsigned char *arena, int64_t rows, int64_t thread, int64_t threads) {
    bool first = thread == 0;
    if (first) {
        d_subtract((float *)(arena + 8896), rows);
        tanh_((float *)(arena + 8256), (float *)(arena + 4352), (float *)(arena + 8960), rows);
        exp_((float *)(arena + 8960), (float *)(arena + 4864), (float *)(arena + 9728), rows);
        where((float *)(arena + 9728), (float *)(arena + 9984), rows);
        subtract((float *)(arena + 9728), (int32_t *)(arena + 8512), (float *)(arena + 10048),
                rows);
        argmax((float *)(arena + 9728), (int64_t *)(arena + 10112), rows);
        exp__2((float *)(arena + 9984), (float *)(arena + 9728), rows);
        accuracy((int32_t *)(arena + 8512), (int64_t *)(arena + 10112),
                (float *)(arena + 10176), rows);
        d_subtract_2((float *)(arena + 9728), (float *)(arena + 10048), (float *)(arena + 9984),
                (float *)(arena + 10112), rows);
        loss((float *)(arena + 10048), (float *)(arena + 9984), rows);
        power((int64_t *)(arena + 8192), (float *)(arena + 8576), (float *)(arena + 8640),
                (float *)(arena + 8704), (float *)(arena + 10048), (float *)(arena + 10240));
        subtract_2((float *)(arena + 8576), (float *)(arena + 10304));
        d_subtract_3((int32_t *)(arena + 8512), (float *)(arena + 9728),
                (float *)(arena + 10112), (float *)(arena + 8896), (float *)(arena + 10368),
                rows);
    }
    second_by_axis_0((float *)(arena + 10624), (float *)(arena + 4864), thread, threads);
    barrier(arena, thread, threads);
    if (first) {
        d_contract((float *)(arena + 10368), (float *)(arena + 10624), (float *)(arena + 8960),
                (float *)(arena + 10944), rows);
        subtract_2((float *)(arena + 8704), (float *)(arena + 8896));
        first_2((float *)(arena + 8256), (float *)(arena + 10944), (float *)(arena + 8576),
                (float *)(arena + 5632), (float *)(arena + 10304), (float *)(arena + 8704),
                (float *)(arena + 6144), (float *)(arena + 8896), (float *)(arena + 10048),
                (float *)(arena + 10240), (float *)(arena + 8768), (float *)(arena + 4352),
                rows);
        second_2((float *)(arena + 8960), (float *)(arena + 10368), (float *)(arena + 8576),
                (float *)(arena + 6656), (float *)(arena + 10304), (float *)(arena + 8704),
                (float *)(arena + 7424), (float *)(arena + 8896), (float *)(arena + 10048),
                (float *)(arena + 10240), (float *)(arena + 8768), (float *)(arena + 4864),
                rows);
        step_3((int64_t *)(arena + 8192));
    }
}

// all epochs
static void train_loop(unsigned char *arena, void **table, int64_t *job, int64_t thread,
        int64_t threads) {
    bool first = thread == 0;
    int64_t count = job[0];
    int64_t step = job[1];
    int64_t last = job[2];
    int64_t bytes = job[5];
    int64_t *order = (int64_t *)(arena + 5120*thread + 11712);
    int64_t seed = job[3];
    int64_t order_slot_value = order_slot(count);
    int64_t together = 64 / order_slot_value;
    bool few = count <= 64;
    bool any = step < last;
    if (any) {
        int64_t sum = count + 7;
        int64_t steps = sum / 8;
        int64_t epoch = step / steps;
        int64_t product = epoch * steps;
        int64_t difference = step - product;
        int64_t start = difference * 8;
        int64_t seen = job[8];
        int64_t known = 0;
        int64_t until = 0;
        int64_t orders = 0;
        bool failed = false;
        bool again;
        do {
            step = step + 1;
            bool more = step < last;
            if (first) {
                int64_t *stop = (int64_t *)arena;
                int64_t stop_value = __atomic_load_n(&stop[0], __ATOMIC_ACQUIRE);
                bool equal = stop_value == 0;
                int64_t converted = (int64_t)equal;
                int64_t *go = (int64_t *)(arena + 24);
                go[0] = converted;
            }
            bool unknown = until <= start;
            if (unknown) {
                bool used_up = orders == 0;
                if (used_up) {
                    order_keys((int32_t *)((unsigned char *)order + 1024), seed, epoch,
                            order_slot_value);
                }
                known = few ? 0 : start;
                order_rows(order, (int32_t *)((unsigned char *)order + 1024), known, count,
                        order_slot_value);
                int64_t sum1 = start + 64;
                until = few ? count : sum1;
                orders = together;
            }
            int64_t difference1 = count - start;
            int64_t rows = minimum_i64(difference1, 8);
            int64_t difference2 = start - known;
            int64_t *chosen = (int64_t *)((unsigned char *)order + 8*difference2);
            step_gather(arena, table, chosen, rows, bytes, thread);
            barrier(arena, thread, threads);
            int64_t *go_2 = (int64_t *)(arena + 24);
            int64_t go1 = go_2[0];
            bool goes = go1 == 1;
            if (goes) {
                step_2(arena, rows, thread, threads);
                barrier(arena, thread, threads);
                int64_t *failure = (int64_t *)(arena + 16);
                int64_t failure_value = __atomic_load_n(&failure[0], __ATOMIC_ACQUIRE);
                bool passed = failure_value == 0;
                if (passed) {
                    if (first) {
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
                        until = used_up ? 0 : until;
                        start = 0;
                        seen = 0;
                    } else {
                        failed = false;
                    }
                    bool logical_not1 = !failed;
                    again = more && logical_not1;
                } else {
                    failed = true;
                    again = false;
                }
            } else {
                failed = false;
                again = false;
            }
        } while (again);
        int64_t *go_3 = (int64_t *)(arena + 24);
        int64_t go_value = go_3[0];
        bool stopped = go_value == 0;
        if (first) {
            int64_t chosen_value = stopped ? 0 : seen;
            job[8] = chosen_value;
        }
        bool less = 0 < seen;
        bool logical_not = !failed;
        bool logical_and0 = stopped && logical_not;
        bool partial = less && logical_and0;
        if (partial) {
            bool record_value = record(arena, table, job, seen, thread, threads);
            failed = !record_value;
        }
        if (failed && first) {
            int64_t *failed_step = (int64_t *)(arena + 40);
            int64_t difference1 = step - 1;
            __atomic_store_n(&failed_step[0], difference1, __ATOMIC_RELEASE);
        }
    }
}
