# Warning flags: one interface for every target, a stricter one where no torch header is read.
add_library(voxbit_warnings INTERFACE)
target_compile_options(voxbit_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wundef
  $<$<BOOL:${VOXBIT_WERROR}>:-Werror>)

add_library(voxbit_warnings_strict INTERFACE)
target_link_libraries(voxbit_warnings_strict INTERFACE voxbit_warnings)
target_compile_options(voxbit_warnings_strict INTERFACE -Wconversion -Wsign-conversion)
