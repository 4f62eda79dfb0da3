/* A plugin of QEMU that counts the AArch64 instructions which a program executes, by kind, inside and outside the int8
 * products (functions whose name holds "multiply_block"). arm_instructions.py compiles and loads it.
 *
 * Debian packages no header for plugins, so the few functions are declared here: QEMU's TCG plugin API, version 1
 * (QEMU 6.0 to 8.2; docs/devel/tcg-plugins.rst in its sources). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
enum { kInlineAddU64 = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*callback)(qemu_plugin_id_t id, struct qemu_plugin_tb*));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb*, int operation, void* address, uint64_t value);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*callback)(qemu_plugin_id_t id, void*), void* data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb*);
struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb*, size_t index);
const void* qemu_plugin_insn_data(const struct qemu_plugin_insn*);
const char* qemu_plugin_insn_symbol(const struct qemu_plugin_insn*);
void qemu_plugin_outs(const char* text);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

/* MACS16 … are the multiplying instructions by multiply-accumulates: smull and smlal have 8, sdot 16, smmla 32. */
enum kind { MACS8, MACS16, MACS32, VECTOR_LOAD, VECTOR_STORE, VECTOR, LOAD, STORE, BRANCH, INTEGER, KINDS };
static const char* const kNames[KINDS] = {"macs8", "macs16", "macs32", "vector_load", "vector_store",
                                          "vector", "load", "store", "branch", "integer"};
static uint64_t counts[2][KINDS]; /* outside, inside the products */

/* Arm Architecture Reference Manual, "A64 instruction set encoding". */
static enum kind kind_of(uint32_t code) {
  if ((code & 0xBF20FC00) == 0x0E20C000 || (code & 0xBF20FC00) == 0x0E208000) return MACS8; /* smull(2), smlal(2) */
  if ((code & 0xBF20FC00) == 0x0E009400 || (code & 0xBF00F400) == 0x0F00E000) return MACS16; /* sdot, by element */
  if ((code & 0xFFE0FC00) == 0x4E80A400) return MACS32;                                      /* smmla */
  if ((code & 0x0A000000) == 0x08000000) {
    const int vector = (code & 1u << 26) != 0;
    /* Bit 22 says load; literals have no such bit, and sign-extending loads of one general register have bit 23. */
    const int loads = (code & 1u << 22) != 0 || (code & 0x3B000000) == 0x18000000 ||
                      (!vector && (code & 0x38000000) == 0x38000000 && (code & 1u << 23) != 0);
    return vector ? (loads ? VECTOR_LOAD : VECTOR_STORE) : loads ? LOAD : STORE;
  }
  if ((code & 0x0E000000) == 0x0E000000) return VECTOR;
  if ((code & 0x1C000000) == 0x14000000) return BRANCH;
  return INTEGER;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb* block) {
  uint64_t here[2][KINDS] = {{0}};
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); ++i) {
    const struct qemu_plugin_insn* instruction = qemu_plugin_tb_get_insn(block, i);
    const char* symbol = qemu_plugin_insn_symbol(instruction);
    uint32_t code;
    memcpy(&code, qemu_plugin_insn_data(instruction), sizeof code);
    ++here[symbol != NULL && strstr(symbol, "multiply_block") != NULL][kind_of(code)];
  }
  for (int inside = 0; inside < 2; ++inside) {
    for (int kind = 0; kind < KINDS; ++kind) {
      if (here[inside][kind] != 0) {
        qemu_plugin_register_vcpu_tb_exec_inline(block, kInlineAddU64, &counts[inside][kind], here[inside][kind]);
      }
    }
  }
  (void)id;
}

static void finished(qemu_plugin_id_t id, void* data) {
  for (int inside = 0; inside < 2; ++inside) {
    for (int kind = 0; kind < KINDS; ++kind) {
      char line[80];
      snprintf(line, sizeof line, "%s %s %" PRIu64 "\n", inside ? "products" : "rest", kNames[kind], counts[inside][kind]);
      qemu_plugin_outs(line);
    }
  }
  (void)id, (void)data;
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t* info,
                                                               int argc, char** argv) {
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, finished, NULL);
  (void)info, (void)argc, (void)argv;
  return 0;
}
