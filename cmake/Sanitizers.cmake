# VOXBIT_SANITIZE=address,undefined | thread applies to every target of the build.
if(VOXBIT_SANITIZE)
  add_compile_options(-fsanitize=${VOXBIT_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${VOXBIT_SANITIZE})
endif()
