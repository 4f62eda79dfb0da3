// ModelIR and Layout to runtime/format/model.fbs, field by field.
#include "writer/table.h"

#include <map>

namespace kinglet::convert {

namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

class TableBuilder {
 public:
  explicit TableBuilder(const TableContents& contents) : contents_(contents), model_(contents.model) {}

  std::vector<uint8_t> build(const std::vector<Sample>& samples, const std::vector<uint64_t>& checksums) {
    const auto architecture = builder_.CreateString(model_.architecture);
    const auto precision = builder_.CreateString(contents_.precision);
    const auto tensors = write_tensors();
    const auto matrices = write_matrices();
    const auto norms = write_norms();
    const auto values = write_values();
    const auto program = write_program();
    const auto outputs = write_outputs();
    const auto labels = builder_.CreateVectorOfStrings(model_.labels);
    const auto prompts = write_prompts();
    const auto tokenizer =
        contents_.tokenizer == nullptr ? Offset<fmt::Tokenizer>() : contents_.tokenizer->write(builder_);
    const auto sample_list = write_samples(samples);
    const auto provenance = write_provenance();
    const auto sums = builder_.CreateVector(checksums);
    const SpecialTokens& special = model_.special_tokens;
    const auto special_tokens =
        fmt::CreateSpecialTokens(builder_, special.cls, special.mask, special.unknown, special.marked_pieces,
                                 special.clean_up_spaces);

    fmt::ModelBuilder table(builder_);
    table.add_architecture(architecture);
    table.add_precision(precision);
    table.add_tensors(tensors);
    table.add_matrices(matrices);
    table.add_norms(norms);
    table.add_values(values);
    table.add_program(program);
    table.add_outputs(outputs);
    table.add_max_length(model_.max_length);
    table.add_max_positions(model_.max_positions);
    table.add_vocabulary(model_.vocabulary);
    table.add_type_count(model_.type_count);
    table.add_task(model_.task);
    table.add_scoring(model_.scoring);
    table.add_labels(labels);
    table.add_embedding(model_.embedding);
    table.add_logits(model_.logits);
    table.add_prompts(prompts);
    table.add_default_prompt(model_.default_prompt);
    table.add_tokenizer(tokenizer);
    table.add_samples(sample_list);
    table.add_provenance(provenance);
    table.add_block_checksums(sums);
    table.add_special_tokens(special_tokens);
    table.add_rank_scoring(model_.rank_scoring);
    fmt::FinishModelBuffer(builder_, table.Finish());
    return {builder_.GetBufferPointer(), builder_.GetBufferPointer() + builder_.GetSize()};
  }

 private:
  Offset<flatbuffers::Vector<Offset<fmt::Tensor>>> write_tensors() {
    std::vector<Offset<fmt::Tensor>> list;
    for (const Block& block : contents_.layout.blocks) {
      list.push_back(
          fmt::CreateTensorDirect(builder_, block.name.c_str(), block.dtype, block.layout, &block.shape, block.offset));
    }
    return builder_.CreateVector(list);
  }

  Offset<flatbuffers::Vector<Offset<fmt::Matrix>>> write_matrices() {
    std::vector<Offset<fmt::Matrix>> list;
    for (const MatrixBlocks& matrix : contents_.layout.matrices) {
      list.push_back(fmt::CreateMatrix(builder_, matrix.weight, matrix.scale, matrix.column_sum, matrix.bias,
                                       matrix.input_scale));
    }
    return builder_.CreateVector(list);
  }

  Offset<flatbuffers::Vector<Offset<fmt::Norm>>> write_norms() {
    std::vector<Offset<fmt::Norm>> list;
    for (size_t i = 0; i < model_.norms.size(); ++i) {
      const NormBlocks& blocks = contents_.layout.norms[i];
      list.push_back(
          fmt::CreateNorm(builder_, model_.norms[i].kind, blocks.weight, blocks.bias, model_.norms[i].epsilon));
    }
    return builder_.CreateVector(list);
  }

  Offset<flatbuffers::Vector<Offset<fmt::Value>>> write_values() {
    std::vector<Offset<fmt::Value>> list;
    for (const Value& value : model_.values) {
      list.push_back(fmt::CreateValue(builder_, value.extent, value.width));
    }
    return builder_.CreateVector(list);
  }

  // ---- The program ----

  Offset<flatbuffers::Vector<Offset<fmt::Step>>> write_program() {
    std::vector<Offset<fmt::Step>> list;
    for (const Op& op : model_.program) {
      list.push_back(std::visit([this](const auto& concrete) { return write_op(concrete); }, op));
    }
    return builder_.CreateVector(list);
  }

  template <typename T>
  Offset<fmt::Step> step(Offset<T> op) {
    return fmt::CreateStep(builder_, fmt::OpTraits<T>::enum_value, op.Union());
  }

  Offset<fmt::Step> write_op(const EmbedOp& op) {
    const std::vector<TableBlocks>& blocks = contents_.layout.tables[embeds_written_++];
    std::vector<Offset<fmt::EmbedTable>> tables;
    for (size_t i = 0; i < op.tables.size(); ++i) {
      tables.push_back(
          fmt::CreateEmbedTable(builder_, op.tables[i].index, blocks[i].table, blocks[i].scale, op.tables[i].base,
                                op.tables[i].column));
    }
    const auto table_list = builder_.CreateVector(tables);
    return step(fmt::CreateEmbed(builder_, table_list, op.norm, op.out));
  }

  Offset<fmt::Step> write_op(const LinearOp& op) {
    return step(fmt::CreateLinear(builder_, op.in, op.matrix, op.gate, op.activation, op.out));
  }

  Offset<fmt::Step> write_op(const AttentionOp& op) {
    const AttentionBlocks& blocks = contents_.layout.attentions[attentions_written_++];
    Offset<fmt::Disentangled> disentangled;
    if (op.disentangled) {
      disentangled = fmt::CreateDisentangled(builder_, blocks.content_to_position, blocks.content_to_position_scale,
                                             blocks.position_to_content, blocks.position_to_content_scale,
                                             write_rows(*op.disentangled->rows));
    }
    return step(fmt::CreateAttention(builder_, op.query_in, op.key_in, op.value_in, op.query, op.key, op.value,
                                     op.heads, op.head_dim, op.logit_scale, op.quantized, op.out,
                                     blocks.relative_bias, blocks.rotary, op.window, disentangled));
  }

  // Layers that share them share the bytes.
  Offset<flatbuffers::Vector<uint32_t>> write_rows(const std::vector<uint32_t>& rows) {
    auto [place, added] = rows_written_.try_emplace(&rows);
    if (added) {
      place->second = builder_.CreateVector(rows);
    }
    return place->second;
  }

  Offset<fmt::Step> write_op(const AddNormOp& op) {
    return step(fmt::CreateAddNorm(builder_, op.in, op.residual, op.norm, op.out));
  }

  Offset<fmt::Step> write_op(const PoolOp& op) { return step(fmt::CreatePool(builder_, op.in, op.kind, op.out)); }

  Offset<fmt::Step> write_op(const NormalizeOp& op) { return step(fmt::CreateNormalize(builder_, op.in, op.out)); }

  Offset<fmt::Step> write_op(const NeighboursOp& op) {
    return step(fmt::CreateNeighbours(builder_, op.in, op.before, op.after, op.out));
  }

  // ---- What the numbers mean ----

  Offset<flatbuffers::Vector<Offset<fmt::Output>>> write_outputs() {
    std::vector<Offset<fmt::Output>> list;
    for (const Output& output : model_.outputs) {
      list.push_back(fmt::CreateOutputDirect(builder_, output.name.c_str(), output.value, output.column));
    }
    return builder_.CreateVector(list);
  }

  Offset<flatbuffers::Vector<Offset<fmt::Prompt>>> write_prompts() {
    std::vector<Offset<fmt::Prompt>> list;
    for (const Prompt& prompt : model_.prompts) {
      const auto name = builder_.CreateString(prompt.name);
      const auto text = builder_.CreateString(prompt.text);
      list.push_back(fmt::CreatePrompt(builder_, name, text));
    }
    return builder_.CreateVector(list);
  }

  Offset<flatbuffers::Vector<Offset<fmt::Sample>>> write_samples(const std::vector<Sample>& samples) {
    std::vector<Offset<fmt::Sample>> list;
    for (const Sample& sample : samples) {
      list.push_back(fmt::CreateSampleDirect(builder_, sample.text.c_str(), &sample.ids, &sample.type_ids,
                                             sample.output.c_str(), &sample.values, sample.tolerance));
    }
    return builder_.CreateVector(list);
  }

  Offset<fmt::Provenance> write_provenance() {
    const auto source = builder_.CreateString(contents_.source);
    const auto converter = builder_.CreateString(contents_.converter);
    const auto passes = builder_.CreateVectorOfStrings(model_.passes);
    return fmt::CreateProvenance(builder_, source, converter, passes);
  }

  const TableContents& contents_;
  const ModelIR& model_;
  FlatBufferBuilder builder_;
  size_t embeds_written_ = 0, attentions_written_ = 0;
  std::map<const std::vector<uint32_t>*, Offset<flatbuffers::Vector<uint32_t>>> rows_written_;
};

}  // namespace

std::vector<uint8_t> build_table(const TableContents& contents, const std::vector<Sample>& samples,
                                 const std::vector<uint64_t>& checksums) {
  return TableBuilder(contents).build(samples, checksums);
}

}  // namespace kinglet::convert
