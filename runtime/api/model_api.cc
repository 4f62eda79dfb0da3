// The functions of kinglet.h on models.
#include <cstring>

#include "api/handles.h"
#include "cpu/cpu.h"
#include "model/task_outputs.h"

namespace {

using kinglet::fail;

template <typename Open>
kinglet_status open_model(kinglet_model** out, Open open) {
  if (out == nullptr) {
    return KINGLET_INVALID_ARGUMENT;
  }
  kinglet_model* handle = *out = kinglet::make<kinglet_model>();
  if (handle == nullptr) {
    return KINGLET_OUT_OF_MEMORY;
  }
  const kinglet::kernels::Kernels* kernels = nullptr;
  KINGLET_TRY(kinglet::choose_kernels(&kernels, handle->error));
  KINGLET_TRY(open(handle->model, handle->error));
  handle->open = true;
  return KINGLET_OK;
}

const kinglet::fmt::Model* table_of(const kinglet_model* model) {
  return model != nullptr && model->open ? &model->model.table() : nullptr;
}

// Of a classifier its logits, of a tagger those of one token.
uint32_t label_count(const kinglet::fmt::Model& table) {
  if (table.logits() >= 0) {
    return table.values()->Get(static_cast<uint32_t>(table.logits()))->width();
  }
  return table.task() == kinglet::fmt::Task::tag
             ? kinglet::width_of(table, *kinglet::find_task_outputs(table).outputs[0])
             : 0;
}

template <typename Vector>
uint32_t size_of(const Vector* vector) {
  return vector != nullptr ? vector->size() : 0;
}

}  // namespace

const char* kinglet_status_name(kinglet_status status) {
  switch (status) {
    case KINGLET_OK: return "ok";
    case KINGLET_INVALID_ARGUMENT: return "invalid argument";
    case KINGLET_IO_ERROR: return "input/output error";
    case KINGLET_BAD_MODEL: return "bad model";
    case KINGLET_UNSUPPORTED: return "unsupported";
    case KINGLET_OUT_OF_MEMORY: return "out of memory";
    case KINGLET_TOO_LONG: return "too long";
    case KINGLET_CANCELLED: return "cancelled";
    case KINGLET_NON_FINITE: return "non-finite";
    case KINGLET_WRONG_TASK: return "wrong task";
  }
  return "unknown status";
}

const char* kinglet_version(void) { return KINGLET_VERSION; }

const char* kinglet_isa(void) {
  const kinglet::kernels::Kernels* kernels = kinglet::kernels_in_use();
  return kernels != nullptr ? kinglet::kernels::isa_name(kernels->isa) : nullptr;
}

kinglet_status kinglet_model_open_path(const char* path, kinglet_model** out) {
  return open_model(out, [&](kinglet::Model& model, kinglet::Error& error) {
    if (path == nullptr) {
      return fail(error, KINGLET_INVALID_ARGUMENT, "path: NULL, expected a file name");
    }
    return model.open_path(path, error);
  });
}

kinglet_status kinglet_model_open_fd(int fd, uint64_t offset, uint64_t length, kinglet_model** out) {
  return open_model(
      out, [&](kinglet::Model& model, kinglet::Error& error) { return model.open_fd(fd, offset, length, error); });
}

kinglet_status kinglet_model_open_memory(const void* data, size_t size, kinglet_model** out) {
  return open_model(out, [&](kinglet::Model& model, kinglet::Error& error) {
    if (data == nullptr) {
      return fail(error, KINGLET_INVALID_ARGUMENT, "data: NULL, expected a model in memory");
    }
    return model.open_memory(data, size, error);
  });
}

void kinglet_model_close(kinglet_model* model) {
  if (model != nullptr && model->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    kinglet::destroy(model);
  }
}

const char* kinglet_model_message(const kinglet_model* model) {
  return model != nullptr ? model->error.message : "out of memory";
}

kinglet_status kinglet_model_get_info(const kinglet_model* model, kinglet_model_info* info) {
  const kinglet::fmt::Model* table = table_of(model);
  if (table == nullptr || info == nullptr || info->struct_size < offsetof(kinglet_model_info, scoring)) {
    return KINGLET_INVALID_ARGUMENT;
  }
  kinglet_model_info full = {};
  full.struct_size = info->struct_size;
  full.task = static_cast<kinglet_task>(table->task());
  full.scoring = static_cast<kinglet_scoring>(table->scoring());
  full.max_length = table->max_length();
  full.vocabulary = table->vocabulary();
  full.type_count = table->type_count();
  full.label_count = label_count(*table);
  full.embedding_size =
      table->embedding() >= 0 ? table->values()->Get(static_cast<uint32_t>(table->embedding()))->width() : 0;
  full.output_count = table->outputs()->size();
  full.prompt_count = size_of(table->prompts());
  full.has_tokenizer = model->model.has_tokenizer() ? 1 : 0;
  full.architecture = table->architecture()->c_str();
  full.precision = table->precision()->c_str();
  std::memcpy(info, &full, info->struct_size < sizeof(full) ? info->struct_size : sizeof(full));
  return KINGLET_OK;
}

const char* kinglet_model_label(const kinglet_model* model, uint32_t index) {
  const kinglet::fmt::Model* table = table_of(model);
  return table != nullptr && index < size_of(table->labels()) ? table->labels()->Get(index)->c_str() : nullptr;
}

const char* kinglet_model_output_name(const kinglet_model* model, uint32_t index) {
  const kinglet::fmt::Model* table = table_of(model);
  return table != nullptr && index < table->outputs()->size() ? table->outputs()->Get(index)->name()->c_str() : nullptr;
}

const char* kinglet_model_prompt_name(const kinglet_model* model, uint32_t index) {
  const kinglet::fmt::Model* table = table_of(model);
  return table != nullptr && index < size_of(table->prompts()) ? table->prompts()->Get(index)->name()->c_str()
                                                               : nullptr;
}

const char* kinglet_model_token(const kinglet_model* model, int32_t id, size_t* length) {
  if (table_of(model) == nullptr || !model->model.has_tokenizer() || length == nullptr) {
    return nullptr;
  }
  const std::string_view token = model->model.tokenizer().token(id);
  *length = token.size();
  return token.data();
}

size_t kinglet_model_token_text(const kinglet_model* model, int32_t id, char* text, size_t capacity) {
  if (table_of(model) == nullptr || !model->model.has_tokenizer() || (text == nullptr && capacity > 0)) {
    return 0;
  }
  const size_t size = model->model.tokenizer().token_text(id, text, capacity);
  const kinglet::fmt::SpecialTokens* special = table_of(model)->special_tokens();
  const bool clean = size <= capacity && special != nullptr && special->clean_up_spaces();
  return clean ? kinglet::clean_up_spaces(text, size) : size;
}
