# Converts a checkpoint to int8 and runs the demo's search on it. With the real MiniLM (KINGLET_MINILM) the first answer
# to each question must be of the right topic; the small checkpoint has random weights and must only run.
cmake_minimum_required(VERSION 3.22)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "exit status ${result}: ${ARGN}")
  endif()
endfunction()

run(${CLI} convert ${TINY} --task embed -o ${SCRATCH}/tiny.kgl)
run(${SEARCH} ${SCRATCH}/tiny.kgl ${DEMO}/texts.tsv ${DEMO}/questions.tsv)
if(DEFINED ENV{KINGLET_MINILM})
  run(${CLI} convert $ENV{KINGLET_MINILM} -o ${SCRATCH}/minilm.kgl)
  run(${SEARCH} ${SCRATCH}/minilm.kgl ${DEMO}/texts.tsv ${DEMO}/questions.tsv --check)
else()
  message("SKIPPED: the answers of the demo's search: KINGLET_MINILM is not set")
endif()
