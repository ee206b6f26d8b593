#include "crypto/digest.h"

#include <stdbool.h>
#include <string.h>

/* CRC-32C (Castagnoli), reflected, polynomial 0x82F63B78: four bits at a time from a table of
 * sixteen, which is small enough to check by eye and fast enough where the processor has no
 * instruction for it. */
static uint32_t crc_portable(uint32_t crc, const uint8_t *data, size_t len)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3,
        0x61C69362, 0x7198540D, 0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9,
        0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75,
    };
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_hardware(uint32_t crc, const uint8_t *data,
                                                               size_t len)
{
    uint64_t wide = crc;
    for (; len >= sizeof(uint64_t); len -= sizeof(uint64_t), data += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, data, sizeof(word));
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; len > 0; len--, data++) {
        crc = __builtin_ia32_crc32qi(crc, *data);
    }
    return crc;
}

static bool has_hardware(void)
{
    return __builtin_cpu_supports("sse4.2") != 0;
}
#else
static uint32_t crc_hardware(uint32_t crc, const uint8_t *data, size_t len)
{
    return crc_portable(crc, data, len);
}

static bool has_hardware(void)
{
    return false;
}
#endif

uint32_t assay_crc32c(uint32_t crc, struct assay_slice s)
{
    crc = ~crc;
    crc = has_hardware() ? crc_hardware(crc, s.data, s.len) : crc_portable(crc, s.data, s.len);
    return ~crc;
}
