# Fails when an object of kinglet_kernels defines a weak symbol: an inline function or template that the linker could
# keep for other files, compiled with instructions that the processor may lack. Fails, too, when an object has an
# instruction that would give other bits than the reference: a fused multiply-add, an estimate, or Arm's fmax and fmin
# and WebAssembly's f32.max and f32.min, which compilers make by themselves. Called with -DNM -DOBJDUMP -DOBJECTS.
set(inexact "v?fn?m(add|sub|la|ls)[a-z0-9]*|v?rcp[a-z0-9]*|v?rsqrt[a-z0-9]*|fmax[a-z]*|fmin[a-z]*|frecp[a-z]|frsqrt[a-z]|f32(x4)?\\.(max|min)")
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND ${NM} ${object} OUTPUT_VARIABLE symbols RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${NM} failed on ${object}")
  endif()
  string(REGEX MATCH "[0-9a-f]+ [WVu] [^\n]*" weak "${symbols}")
  if(weak)
    message(FATAL_ERROR "${object} defines a symbol that the linker may share: ${weak}")
  endif()
  execute_process(COMMAND ${OBJDUMP} -d --no-show-raw-insn ${object} OUTPUT_VARIABLE code RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${OBJDUMP} failed on ${object}")
  endif()
  string(REGEX MATCH "\t(${inexact})[ \t][^\n]*" found "${code}")
  if(found)
    message(FATAL_ERROR "${object} rounds otherwise than the reference:${found}")
  endif()
endforeach()
