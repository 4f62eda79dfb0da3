/* An outside application in C: opens a model, checks it, and runs one text through it. */
#include <kinglet.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char** argv) {
  kinglet_model* model = NULL;
  kinglet_session* session = NULL;
  kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
  kinglet_input input = {0};
  kinglet_output output;
  const char* text = "a small bird";

  printf("kinglet %s\n", kinglet_version());
  if (argc < 2) return 0;
  if (kinglet_model_open_path(argv[1], &model) != KINGLET_OK || kinglet_model_self_test(model) != KINGLET_OK) {
    fprintf(stderr, "%s\n", kinglet_model_message(model));
    return 1;
  }
  options.raw_outputs = 1;
  if (kinglet_session_create(model, &options, &session) != KINGLET_OK) {
    fprintf(stderr, "%s\n", kinglet_session_message(session));
    return 1;
  }
  input.text = text;
  input.text_length = strlen(text);
  if (kinglet_encode(session, &input, 1, NULL) != KINGLET_OK ||
      kinglet_session_output(session, 0, 0, &output) != KINGLET_OK) {
    fprintf(stderr, "%s\n", kinglet_session_message(session));
    return 1;
  }
  printf("%s: %u x %u\n", output.name, output.shape[0], output.rank > 1 ? output.shape[1] : 1);
  kinglet_session_close(session);
  kinglet_model_close(model);
  return 0;
}
