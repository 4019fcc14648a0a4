// Zeros a buffer: ``count`` float4 values. clEnqueueFillBuffer is not used because NVIDIA's driver 580 touches foreign
// memory with it beyond 8 GiB of a buffer.
__kernel void clear(__global float4 *buffer, const ulong count) {
    for (size_t i = get_global_id(0); i < count; i += get_global_size(0)) buffer[i] = (float4)(0.0f);
}
