# Fails when an object of kinglet_kernels defines a weak symbol: an inline function or template that the linker could
# keep for other files, compiled with instructions that the processor may lack. Called with -DNM -DOBJECTS.
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND ${NM} ${object} OUTPUT_VARIABLE symbols RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${NM} failed on ${object}")
  endif()
  string(REGEX MATCH "[0-9a-f]+ [WVu] [^\n]*" weak "${symbols}")
  if(weak)
    message(FATAL_ERROR "${object} defines a symbol that the linker may share: ${weak}")
  endif()
endforeach()
