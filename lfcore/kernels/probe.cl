// What a device must be able to do before lfcore trusts it: build, read half precision, share local memory, write.
//
//   out[i] = 2 * in[r(i)] + i,   r(i) = i reversed within its work-group
//
// in   [items] half      out  [items] float
// items is a multiple of GROUP, the size of a work-group. The host chooses values that float32 holds exactly.

kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void probe(global const half *in, global float *out)
{
    local float scratch[GROUP];
    const size_t item = get_global_id(0), here = get_local_id(0);
    scratch[here] = vload_half(item, in);
    barrier(CLK_LOCAL_MEM_FENCE);
    out[item] = 2.0f * scratch[GROUP - 1 - here] + (float)item;
}
