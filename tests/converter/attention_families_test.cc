// The families whose attention knows distances (MPNet, ModernBERT, DeBERTa), and XLM, on the ids that were
// recorded.
#include <doctest/doctest.h>

#include "id_runs.h"
#include "support/paths.h"
#include "support/temporary.h"

namespace kinglet::test {
namespace {

constexpr const char* kCheckpoints[] = {"mpnet", "mpnet-mlm", "mpnet-seqcls", "mpnet-v5",
                                        "modernbert-mlm", "modernbert-seqcls", "modernbert-seqcls-v5",
                                        "deberta-v3-seqcls", "deberta-v3-ner", "deberta-v3-qa", "deberta-v3-ner-v5",
                                        "deberta-v2-conv-mlm", "deberta-v1-seqcls", "xlm-seqcls"};

TEST_CASE("recorded outputs: fp32 and int8") {
  const auto shared = shared_folder();
  if (!shared) {
    skipped("recorded outputs of the families with relative attention", "there is no shared folder");
    return;
  }
  for (const char* name : kCheckpoints) {
    check_recorded_numbers(*shared / "models/tiny" / name);
  }
}

TEST_CASE("recorded inputs: int8 has the same bits in every way of running it") {
  const auto shared = shared_folder();
  if (!shared) {
    skipped("bits of the families with relative attention", "there is no shared folder");
    return;
  }
  for (const char* name : kCheckpoints) {
    CAPTURE(name);
    const TemporaryFolder folder;
    copy_without_tokenizer(*shared / "models/tiny" / name, folder / "model");
    check_same_bits(folder / "model", recorded_inputs(*shared / "models/tiny" / name));
  }
}

}  // namespace
}  // namespace kinglet::test

RECORDED_CHILD
