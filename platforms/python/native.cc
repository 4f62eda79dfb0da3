// kinglet._native: models and sessions for Python, on the C++ face of the C API. The package kinglet in this folder is
// what people import; it gives every call a session of its own, so nothing here locks.
//
// Texts are read in place (Python keeps the UTF-8 form of a str beside it) and results are written straight into NumPy
// arrays. The interpreter's lock is released while a session computes. Offsets count code points, as Python does.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kinglet.hpp"

namespace nb = nanobind;

namespace {

using Ids = nb::ndarray<const int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using FloatArray = nb::ndarray<nb::numpy, float>;

// What C calls read, and the Python objects that own it.
struct Inputs {
  std::vector<kinglet::Input> items;
  std::vector<nb::object> owners;
  std::vector<Ids> arrays;

  size_t size() const { return items.size(); }
};

std::string_view utf8(nb::handle text) {
  Py_ssize_t size = 0;
  const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
  if (data == nullptr) {
    throw nb::python_error();  // a lone surrogate
  }
  return {data, static_cast<size_t>(size)};
}

// An item is a str, a pair of str, or a pair of an int32 array of ids and one of type ids or None.
void add_input(nb::handle item, Inputs& inputs) {
  inputs.owners.push_back(nb::borrow(item));
  if (PyUnicode_Check(item.ptr())) {
    inputs.items.push_back(kinglet::text_input(utf8(item)));
    return;
  }
  if (!nb::isinstance<nb::tuple>(item) || nb::len(item) != 2) {
    throw nb::type_error("an input is a str, a pair (str, str) or a kinglet.Ids");
  }
  const nb::object first = item[0], second = item[1];
  if (PyUnicode_Check(first.ptr()) && PyUnicode_Check(second.ptr())) {
    inputs.items.push_back(kinglet::pair_input(utf8(first), utf8(second)));
    return;
  }
  Ids ids;
  if (!nb::try_cast(first, ids)) {
    throw nb::type_error("an input is a str, a pair (str, str) or a kinglet.Ids");
  }
  inputs.arrays.push_back(ids);
  const int32_t* types = nullptr;
  if (!second.is_none()) {
    const auto type_ids = nb::cast<Ids>(second);
    if (type_ids.size() != ids.size()) {
      throw nb::value_error("type_ids must be as many as ids");
    }
    inputs.arrays.push_back(type_ids);
    types = type_ids.data();
  }
  inputs.items.push_back(kinglet::ids_input(ids.data(), ids.size(), types));
}

Inputs read_inputs(const nb::list& list) {
  Inputs inputs;
  inputs.items.reserve(list.size());
  inputs.owners.reserve(list.size());
  for (const nb::handle item : list) {
    add_input(item, inputs);
  }
  return inputs;
}

FloatArray new_array(size_t rows, size_t columns) {
  auto data = std::make_unique<float[]>(std::max<size_t>(rows * columns, 1));
  float* raw = data.get();
  nb::capsule owner(raw, [](void* memory) noexcept { delete[] static_cast<float*>(memory); });
  data.release();
  return FloatArray(raw, {rows, columns}, owner);
}

nb::bytes flags(const std::vector<uint8_t>& values) { return nb::bytes(values.data(), values.size()); }

nb::str view_to_str(std::string_view text) { return nb::str(text.data(), text.size()); }

class Model {
 public:
  // path: as the file system has it, whatever its encoding.
  explicit Model(const nb::bytes& path) : model_(open(std::string(path.c_str(), path.size()))) {}

  nb::dict info() const {
    static constexpr const char* kTasks[] = {"none", "embed", "classify", "tag", "answer", "fill-mask"};
    static constexpr const char* kScorings[] = {"softmax", "sigmoid", "none"};
    const kinglet_model_info info = model_.info();
    nb::dict facts;
    facts["task"] = kTasks[info.task];
    facts["scoring"] = kScorings[info.scoring];
    facts["max_length"] = info.max_length;
    facts["vocabulary"] = info.vocabulary;
    facts["embedding_size"] = info.embedding_size;
    facts["has_tokenizer"] = info.has_tokenizer != 0;
    facts["architecture"] = info.architecture;
    facts["precision"] = info.precision;
    nb::list labels, prompts, outputs;
    for (uint32_t i = 0; i < info.label_count; ++i) {
      labels.append(view_to_str(model_.label(i)));
    }
    for (uint32_t i = 0; i < info.prompt_count; ++i) {
      prompts.append(view_to_str(model_.prompt_name(i)));
    }
    for (uint32_t i = 0; i < info.output_count; ++i) {
      outputs.append(view_to_str(model_.output_name(i)));
    }
    facts["labels"] = labels;
    facts["prompts"] = prompts;
    facts["outputs"] = outputs;
    return facts;
  }

  nb::str token_text(int32_t id) const {
    const std::string text = model_.token_text(id);
    return view_to_str(text);
  }

  nb::str token(int32_t id) const {
    const std::string_view text = model_.token(id);
    PyObject* decoded = PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
    if (decoded == nullptr) {
      throw nb::python_error();
    }
    return nb::steal<nb::str>(decoded);
  }

  const kinglet::Model& get() const { return model_; }

 private:
  static kinglet::Model open(const std::string& path) {
    const nb::gil_scoped_release release;
    return kinglet::Model::open(path).value();
  }

  kinglet::Model model_;
};

class Session {
 public:
  Session(const Model& model, uint32_t threads, uint32_t max_length, uint32_t batch, bool raw_outputs,
          const std::optional<std::string>& prompt, uint32_t top_k)
      : session_(create(model, threads, max_length, batch, raw_outputs, prompt, top_k)), info_(session_.info()) {}

  // Embeddings, and which inputs were cut.
  nb::tuple embed(const nb::list& list) {
    const Inputs inputs = read_inputs(list);
    FloatArray embeddings = new_array(inputs.size(), info_.embedding_size);
    std::vector<uint8_t> truncated(inputs.size());
    run([&] { return session_.embed(inputs.items.data(), inputs.size(), embeddings.data(), truncated.data()); });
    return nb::make_tuple(embeddings, flags(truncated));
  }

  // Scores, logits, and which inputs were cut.
  nb::tuple classify(const nb::list& list) {
    const Inputs inputs = read_inputs(list);
    FloatArray scores = new_array(inputs.size(), info_.label_count);
    FloatArray logits = new_array(inputs.size(), info_.label_count);
    std::vector<uint8_t> truncated(inputs.size());
    run([&] {
      return session_.classify(inputs.items.data(), inputs.size(), scores.data(), logits.data(), truncated.data());
    });
    return nb::make_tuple(scores, logits, flags(truncated));
  }

  FloatArray rerank(const nb::str& query, const nb::list& list) {
    const Inputs inputs = read_inputs(list);
    FloatArray scores = new_array(1, inputs.size());
    const kinglet::Input question = kinglet::text_input(utf8(query));
    run([&] { return session_.rerank(question, inputs.items.data(), inputs.size(), scores.data()); });
    return scores;
  }

  // Per input: a list of (label, begin, end, score).
  nb::list tag(const nb::list& list, int aggregation) {
    const Inputs inputs = read_inputs(list);
    kinglet::TagOptions options = KINGLET_TAG_OPTIONS_INIT;
    options.aggregation = static_cast<kinglet_aggregation>(aggregation);
    run([&] { return session_.tag(inputs.items.data(), inputs.size(), &options); });
    nb::list answers;
    for (size_t i = 0; i < inputs.size(); ++i) {
      nb::list entities;
      for (const kinglet::Entity& entity : session_.entities(i).value()) {
        entities.append(nb::make_tuple(entity.label == nullptr ? nb::object(nb::int_(entity.label_index))
                                                               : nb::object(nb::str(entity.label)),
                                       entity.span.begin, entity.span.end, entity.score));
      }
      answers.append(entities);
    }
    return answers;
  }

  // Per input: a list of (begin, end, score).
  nb::list answer(const nb::list& list, uint32_t top_k, uint32_t max_answer_tokens, uint32_t max_length,
                  uint32_t stride, bool no_answer) {
    const Inputs inputs = read_inputs(list);
    kinglet::AnswerOptions options = KINGLET_ANSWER_OPTIONS_INIT;
    options.top_k = top_k;
    options.max_answer_tokens = max_answer_tokens;
    options.max_length = max_length;
    options.stride = stride;
    options.no_answer = no_answer ? 1 : 0;
    run([&] { return session_.answer(inputs.items.data(), inputs.size(), &options); });
    nb::list answers;
    for (size_t i = 0; i < inputs.size(); ++i) {
      nb::list spans;
      for (const kinglet::AnswerSpan& answer : session_.answers(i).value()) {
        spans.append(nb::make_tuple(answer.span.begin, answer.span.end, answer.score));
      }
      answers.append(spans);
    }
    return answers;
  }

  // Per input and mask: a list of (id, score).
  nb::list fill_mask(const nb::list& list, uint32_t top_k) {
    const Inputs inputs = read_inputs(list);
    run([&] { return session_.fill_mask(inputs.items.data(), inputs.size(), top_k); });
    nb::list filled;
    for (size_t i = 0; i < inputs.size(); ++i) {
      nb::list masks;
      const size_t count = session_.masks(i).value();
      for (size_t mask = 0; mask < count; ++mask) {
        nb::list predictions;
        for (const kinglet::Prediction& prediction : session_.predictions(i, mask).value()) {
          predictions.append(nb::make_tuple(prediction.id, prediction.score));
        }
        masks.append(predictions);
      }
      filled.append(masks);
    }
    return filled;
  }

  // Per input: a dict of the raw outputs.
  nb::list outputs(const nb::list& list) {
    const Inputs inputs = read_inputs(list);
    run([&] { return session_.encode(inputs.items.data(), inputs.size()); });
    nb::list results;
    for (size_t i = 0; i < inputs.size(); ++i) {
      nb::dict named;
      for (uint32_t o = 0; o < info_.output_count; ++o) {
        const kinglet::Output output = session_.output(i, o).value();
        const size_t rows = output.shape[0], columns = output.rank > 1 ? output.shape[1] : 1;
        const FloatArray copy = new_array(rows, columns);
        std::copy_n(output.data, rows * columns, copy.data());
        named[output.name] = output.rank > 1 ? nb::cast(copy) : nb::cast(copy).attr("reshape")(rows);
      }
      results.append(named);
    }
    return results;
  }

  // (ids, type_ids, offsets, truncated); an offset is None for the tokens that the template adds.
  nb::tuple tokenize(nb::handle item, uint32_t max_length) {
    Inputs inputs;
    add_input(item, inputs);
    const kinglet::Tokens tokens = session_.tokenize(inputs.items[0], max_length).value();
    nb::list ids, types, offsets;
    for (size_t i = 0; i < tokens.ids.size(); ++i) {
      ids.append(tokens.ids[i]);
      types.append(tokens.type_ids[i]);
      const kinglet::Span span = tokens.offsets[i];
      offsets.append(span.begin == KINGLET_NO_OFFSET ? nb::object(nb::none())
                                                     : nb::object(nb::make_tuple(span.begin, span.end)));
    }
    return nb::make_tuple(ids, types, offsets, tokens.truncated);
  }

 private:
  static kinglet::Session create(const Model& model, uint32_t threads, uint32_t max_length, uint32_t batch,
                                 bool raw_outputs, const std::optional<std::string>& prompt, uint32_t top_k) {
    kinglet::SessionOptions options;
    options.threads = threads;
    options.max_length = max_length;
    options.batch = batch;
    options.raw_outputs = raw_outputs;
    options.offset_unit = KINGLET_OFFSETS_CODEPOINTS;
    options.prompt = prompt ? prompt->c_str() : nullptr;
    options.top_k = top_k;
    const nb::gil_scoped_release release;
    return kinglet::Session::create(model.get(), options).value();
  }

  template <typename Call>
  static void run(Call&& call) {
    const nb::gil_scoped_release release;
    call().value();
  }

  kinglet::Session session_;
  kinglet_model_info info_;
};

}  // namespace

NB_MODULE(_native, module) {
  module.doc() = "The C API for the package kinglet.";
  nb::exception<kinglet::Exception> error(module, "Error", PyExc_RuntimeError);
  error.doc() = "What kinglet refuses, in one line: what was wrong, where, and what was expected.";
  // Messages name files, whose names need not be UTF-8.
  nb::register_exception_translator(
      [](const std::exception_ptr& thrown, void* type) {
        try {
          std::rethrow_exception(thrown);
        } catch (const kinglet::Exception& refused) {
          const std::string_view text = refused.what();
          const nb::object message =
              nb::steal(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
          PyErr_SetObject(static_cast<PyObject*>(type), message.ptr());
        }
      },
      error.ptr());
  module.def("version", [] { return std::string(kinglet::version()); });
  module.def("isa", [] { return std::string(kinglet::isa()); });
  nb::class_<Model>(module, "Model")
      .def(nb::init<const nb::bytes&>(), nb::arg("path"))
      .def("info", &Model::info)
      .def("token", &Model::token)
      .def("token_text", &Model::token_text);
  nb::class_<Session>(module, "Session")
      .def(nb::init<const Model&, uint32_t, uint32_t, uint32_t, bool, const std::optional<std::string>&, uint32_t>(),
           nb::arg("model"), nb::arg("threads"), nb::arg("max_length"), nb::arg("batch"), nb::arg("raw_outputs"),
           nb::arg("prompt").none(), nb::arg("top_k"))
      .def("embed", &Session::embed)
      .def("classify", &Session::classify)
      .def("rerank", &Session::rerank)
      .def("tag", &Session::tag)
      .def("answer", &Session::answer)
      .def("fill_mask", &Session::fill_mask)
      .def("outputs", &Session::outputs)
      .def("tokenize", &Session::tokenize);
}
