#include "tasks/task_session.h"

namespace kinglet {
namespace {

constexpr uint32_t kDefaultTokens = 65'536, kMostTokens = 1u << 28;
constexpr uint32_t kDefaultTopK = 16, kMostTopK = 1u << 24;

}  // namespace

kinglet_status TaskSession::create(const Session& session, const kinglet_session_options& options, Error& error) {
  const fmt::Task task = session.model().table().task();
  if (options.document_tokens > kMostTokens || options.top_k > kMostTopK) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "document_tokens and top_k: %u and %u, expected at most %u and %u",
                options.document_tokens, options.top_k, kMostTokens, kMostTopK);
  }
  if (session.plan().task_output(0).slot == kNone) {
    return KINGLET_OK;
  }
  // A batch of whole sequences always fits.
  uint64_t tokens = session.plan().capacity().tokens();
  if (task != fmt::Task::fill_mask) {
    const uint32_t asked = options.document_tokens != 0 ? options.document_tokens : kDefaultTokens;
    tokens = asked > tokens ? asked : tokens;
  }
  top_k = options.top_k != 0 ? options.top_k : kDefaultTopK;
  KINGLET_TRY(documents.create(session, static_cast<uint32_t>(tokens), error));
  switch (task) {
    case fmt::Task::tag: return tagger.create(session, documents, error);
    case fmt::Task::answer: return answers.create(session, documents, top_k, error);
    default: return masks.create(session, top_k, error);
  }
}

}  // namespace kinglet
