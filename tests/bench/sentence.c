/* Embeds one text a number of times: MODEL.kgl TIMES TEXT. Prints the kernel path and the number of tokens. What one more
 * time costs is the cost of one sentence (arm_instructions.py). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kinglet.h"

static int failed(const char* message) {
  fprintf(stderr, "%s\n", message);
  return 1;
}

int main(int argc, char** argv) {
  if (argc != 4) {
    return failed("usage: sentence MODEL.kgl TIMES TEXT");
  }
  kinglet_model* model = NULL;
  if (kinglet_model_open_path(argv[1], &model) != KINGLET_OK) {
    return failed(kinglet_model_message(model));
  }
  kinglet_model_info info = {0};
  info.struct_size = sizeof info;
  kinglet_model_get_info(model, &info);
  kinglet_session* session = NULL;
  if (kinglet_session_create(model, NULL, &session) != KINGLET_OK) {
    return failed(kinglet_session_message(session));
  }
  kinglet_input input = {0};
  input.text = argv[3];
  input.text_length = strlen(argv[3]);
  size_t tokens = 0;
  float* embedding = calloc(info.embedding_size + 1, sizeof *embedding);
  kinglet_tokenize(session, &input, 0, NULL, NULL, NULL, (size_t)-1, &tokens, NULL);
  for (int times = atoi(argv[2]); times > 0; --times) {
    if (embedding == NULL || kinglet_embed(session, &input, 1, embedding, NULL) != KINGLET_OK) {
      return failed(kinglet_session_message(session));
    }
  }
  printf("%s %zu\n", kinglet_isa(), tokens);
  free(embedding);
  kinglet_session_close(session);
  kinglet_model_close(model);
  return 0;
}
