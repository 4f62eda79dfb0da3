// The order of writing. The weights lie behind the table, but the table holds their checksums and the samples, which
// only the written file can give. So the table's size is planned with the largest samples, the weights are written at
// their final place, and the table, filled up with zeros to the planned size, is written last.
#include "writer/model_file.h"

#include <cstring>

#include "base/text.h"
#include "format/checksum.h"
#include "format/header.h"
#include "kinglet.h"
#include "writer/layout.h"
#include "writer/samples.h"
#include "writer/table.h"
#include "writer/weights.h"

namespace kinglet::convert {

namespace {

constexpr double kWeightsBegin = 0.05, kWeightsEnd = 0.9;  // of the progress

uint64_t round_up(uint64_t value, uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

uint64_t block_count(uint64_t bytes) {
  return (bytes + format::kChecksumBlock - 1) / format::kChecksumBlock;
}

// The lowest version whose readers understand all of the program.
uint32_t needed_version(const ModelIR& model) {
  for (const Op& op : model.program) {
    const auto* attention = std::get_if<AttentionOp>(&op);
    if (attention != nullptr && (attention->relative_bias != kNone || attention->rotary != kNone ||
                                 attention->window != 0 || attention->disentangled)) {
      return format::kVersion;
    }
  }
  return format::kFirstVersion;
}

// Writes header and table for weights that are there already. The table is filled up to `area` bytes.
void write_front(std::vector<uint8_t> table, uint32_t version, uint64_t area, uint64_t weights_size,
                 const std::vector<uint64_t>& checksums, OutputFile& file) {
  if (table.size() > area) {
    refuse("the table of ", table.size(), " bytes has outgrown the ", area, " that were planned for it");
  }
  table.resize(area);
  format::FileHeader header = {};
  std::memcpy(header.magic, format::kMagic, sizeof(header.magic));
  header.version = version;
  header.table_size = area;
  header.weights_offset = sizeof(header) + area;
  header.weights_size = weights_size;
  header.table_checksum = format::checksum(table.data(), table.size());
  header.weights_checksum = format::checksum(checksums.data(), checksums.size() * sizeof(uint64_t));
  header.header_checksum = format::checksum(&header, offsetof(format::FileHeader, header_checksum));
  file.write(0, &header, sizeof(header));
  file.write(sizeof(header), table.data(), table.size());
}

}  // namespace

uint64_t write_model(const ModelIR& model, const CompiledTokenizer* tokenizer, const FileFacts& facts, OutputFile& file,
                     const Progress& progress) {
  const Layout layout = plan_layout(model);
  const std::string converter = std::string("kinglet ") + kinglet_version();
  const TableContents contents = {model, layout, tokenizer, facts.precision, facts.source, converter};
  const std::vector<uint64_t> no_checksums(block_count(layout.bytes));
  const uint64_t area =
      round_up(build_table(contents, largest_samples(model), no_checksums).size(), format::kPartAlignment);

  const uint32_t version = needed_version(model);
  const uint64_t weights_offset = sizeof(format::FileHeader) + area;
  const auto report = [&](double fraction) {
    progress("writing weights", kWeightsBegin + (kWeightsEnd - kWeightsBegin) * fraction);
  };
  const std::vector<uint64_t> checksums = write_weights(model, layout, weights_offset, file, report);

  progress("recording samples", kWeightsEnd);
  write_front(build_table(contents, {}, checksums), version, area, layout.bytes, checksums, file);
  const std::vector<Sample> samples = record_samples(model, facts.precision == "int8", file.descriptor(),
                                                     file.path().string());
  write_front(build_table(contents, samples, checksums), version, area, layout.bytes, checksums, file);

  progress("finishing", 0.98);
  file.commit();
  return weights_offset + layout.bytes;
}

}  // namespace kinglet::convert
