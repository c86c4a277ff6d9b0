# Who may use whom, as data. voxbit_library and voxbit_binary stop the configuration when a
# target names a dependency that its line does not allow. tests/build checks the includes.
#
#   voxbit_library(NAME [TORCH] [PLUGINS] SOURCES ... [DEPS voxbit targets] [LIBS external targets])
#     PLUGINS: files written alike (each its own ConfigFields, Open, kName): never merged into one
#   voxbit_binary(NAME [TORCH] SOURCES ... [DEPS ...] [LIBS ...])
#   voxbit_test(NAME [TORCH] SOURCES ... [DEPS ...] [LIBS ...] [LABELS ...])
#   voxbit_bench(NAME [TORCH] SOURCES ... [DEPS ...])

# Preset release merges the files of a target, 16 at a time (CMAKE_UNITY_BUILD): most of the time of
# a file goes into headers and their templates. So names in unnamed namespaces are unique within a
# target.

set(VOXBIT_ALLOWED_common "")
set(VOXBIT_ALLOWED_usage common)
set(VOXBIT_ALLOWED_domain common)
set(VOXBIT_ALLOWED_space domain)
set(VOXBIT_ALLOWED_cost space)
set(VOXBIT_ALLOWED_pareto domain)
set(VOXBIT_ALLOWED_bits space)
set(VOXBIT_ALLOWED_algorithms space cost pareto bits)
set(VOXBIT_ALLOWED_agents algorithms)
set(VOXBIT_ALLOWED_proto "")
set(VOXBIT_ALLOWED_convert proto domain space)
set(VOXBIT_ALLOWED_rpc proto common)
set(VOXBIT_ALLOWED_storage domain)
set(VOXBIT_ALLOWED_kernels "")
# codes: names and storage of the quantizers, which are part of a search space.
set(VOXBIT_ALLOWED_specs space codes)
set(VOXBIT_ALLOWED_safetensors common)
set(VOXBIT_ALLOWED_ops kernels common)
set(VOXBIT_ALLOWED_codes common)
set(VOXBIT_ALLOWED_quant ops codes common safetensors)
set(VOXBIT_ALLOWED_nn ops quant)
set(VOXBIT_ALLOWED_nets nn specs)
set(VOXBIT_ALLOWED_packed codes common)
set(VOXBIT_ALLOWED_export nets safetensors packed)
set(VOXBIT_ALLOWED_data kernels common)
set(VOXBIT_ALLOWED_train nets data domain safetensors)
set(VOXBIT_ALLOWED_worker_loop domain)
set(VOXBIT_ALLOWED_exec train export worker_loop)
set(VOXBIT_ALLOWED_worker_rpc convert rpc worker_loop)
set(VOXBIT_ALLOWED_dispatch domain storage)
# specs and data: the server reads what a study may say about them, never a net or a tensor.
set(VOXBIT_ALLOWED_study algorithms cost pareto space storage dispatch specs data)
set(VOXBIT_ALLOWED_server_rpc study dispatch convert rpc)
set(VOXBIT_ALLOWED_format domain)
set(VOXBIT_ALLOWED_client convert rpc pareto format usage)

# Transitive closure of the allowed edges of `layer`, in `out`.
function(voxbit_allowed layer out)
  if(NOT DEFINED VOXBIT_ALLOWED_${layer})
    message(FATAL_ERROR "Layers.cmake has no line for '${layer}'")
  endif()
  set(closure "")
  set(queue ${VOXBIT_ALLOWED_${layer}})
  while(queue)
    list(POP_FRONT queue next)
    if(NOT next IN_LIST closure)
      list(APPEND closure ${next})
      list(APPEND queue ${VOXBIT_ALLOWED_${next}})
    endif()
  endwhile()
  set(${out} "${closure}" PARENT_SCOPE)
endfunction()

# A merged file with torch takes up to 1.6 GB of memory: as many at a time as 2 GB each leave room
# for.
cmake_host_system_information(RESULT VOXBIT_MEMORY_MIB QUERY TOTAL_PHYSICAL_MEMORY)
math(EXPR VOXBIT_TORCH_JOBS "${VOXBIT_MEMORY_MIB} / 2048 + 1")
set_property(GLOBAL PROPERTY JOB_POOLS torch_pool=${VOXBIT_TORCH_JOBS})

# What is tested is optimised; the tests themselves need not be. It saves a third of their build
# time. (gcc 12 warns falsely in <regex>.) A compiler reads a precompiled header only where its
# flags are those of the header, so tests have headers of their own.
set(VOXBIT_TEST_FLAGS "$<$<CONFIG:Release>:-Og;-Wno-maybe-uninitialized>")

# voxbit_pch(KIND [TORCH] HEADERS ... LIBS ...): targets voxbit_KIND_pch and, for tests,
# voxbit_KIND_test_pch, which carry precompiled headers for others to reuse.
function(voxbit_pch kind)
  cmake_parse_arguments(ARG "TORCH" "" "HEADERS;LIBS" ${ARGN})
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/${kind}_pch.cc CONTENT "// Carries precompiled headers.\n")
  foreach(name voxbit_${kind}_pch voxbit_${kind}_test_pch)
    add_library(${name} STATIC ${CMAKE_BINARY_DIR}/${kind}_pch.cc)
    target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
    target_link_libraries(${name} PRIVATE ${ARG_LIBS} nlohmann_json::nlohmann_json)
    if(ARG_TORCH)
      set_target_properties(${name} PROPERTIES JOB_POOL_COMPILE torch_pool)
    endif()
  endforeach()
  target_compile_options(voxbit_${kind}_test_pch PRIVATE ${VOXBIT_TEST_FLAGS})
endfunction()

# One precompiled header for all torch targets: torch/torch.h costs 13 s per file without it.
if(VOXBIT_TORCH)
  voxbit_pch(torch TORCH HEADERS <torch/torch.h> <nlohmann/json.hpp>
             LIBS voxbit_warnings ${TORCH_LIBRARIES})
endif()

# The same for the rest: JSON for all, gRPC for those that speak it. clang-tidy reads each file as
# it is, without them.
if(NOT CMAKE_CXX_CLANG_TIDY)
  voxbit_pch(plain HEADERS <nlohmann/json.hpp> <functional> <memory>
             LIBS voxbit_warnings_strict Threads::Threads)
  if(VOXBIT_GRPC)
    voxbit_pch(grpc HEADERS <grpcpp/grpcpp.h> <nlohmann/json.hpp>
               LIBS voxbit_warnings_strict Threads::Threads gRPC::grpc++)
  endif()
endif()

set(VOXBIT_GRPC_LAYERS convert rpc worker_rpc server_rpc client)

# `test` is "_test" for tests and empty otherwise.
function(voxbit_torch_settings target test)
  target_link_libraries(${target} PRIVATE voxbit_warnings nlohmann_json::nlohmann_json
                        ${TORCH_LIBRARIES})
  set_target_properties(${target} PROPERTIES JOB_POOL_COMPILE torch_pool)
  target_precompile_headers(${target} REUSE_FROM voxbit_torch${test}_pch)
endfunction()

function(voxbit_plain_settings target test deps)
  target_link_libraries(${target} PRIVATE voxbit_warnings_strict Threads::Threads)
  if(NOT TARGET voxbit_plain_pch OR ${target} STREQUAL "voxbit_kernels")
    return()
  endif()
  set(kind plain)
  foreach(dep ${deps} ${target})
    string(REPLACE "voxbit_" "" layer ${dep})
    if(layer IN_LIST VOXBIT_GRPC_LAYERS)
      set(kind grpc)
    endif()
  endforeach()
  target_link_libraries(${target} PRIVATE nlohmann_json::nlohmann_json)
  target_precompile_headers(${target} REUSE_FROM voxbit_${kind}${test}_pch)
endfunction()

function(voxbit_common_settings target is_torch test deps)
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
  if(is_torch)
    voxbit_torch_settings(${target} "${test}")
  else()
    voxbit_plain_settings(${target} "${test}" "${deps}")
  endif()
endfunction()

function(voxbit_library name)
  cmake_parse_arguments(ARG "TORCH;PLUGINS" "" "SOURCES;DEPS;LIBS" ${ARGN})
  voxbit_allowed(${name} allowed)
  foreach(dep ${ARG_DEPS})
    if(NOT dep IN_LIST allowed)
      message(FATAL_ERROR "layer '${name}' may not use '${dep}' (cmake/Layers.cmake)")
    endif()
  endforeach()
  set(target voxbit_${name})
  add_library(${target} STATIC ${ARG_SOURCES})
  if(ARG_PLUGINS)
    set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
  endif()
  list(TRANSFORM ARG_DEPS PREPEND voxbit_)
  target_link_libraries(${target} PUBLIC ${ARG_DEPS} ${ARG_LIBS})
  voxbit_common_settings(${target} ${ARG_TORCH} "" "${ARG_DEPS}")
endfunction()

function(voxbit_binary name)
  cmake_parse_arguments(ARG "TORCH;TEST" "" "SOURCES;DEPS;LIBS" ${ARGN})
  set(test "")
  if(ARG_TEST)
    set(test _test)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  list(TRANSFORM ARG_DEPS PREPEND voxbit_)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} ${ARG_LIBS})
  voxbit_common_settings(${name} ${ARG_TORCH} "${test}" "${ARG_DEPS}")
  target_compile_definitions(${name} PRIVATE VOXBIT_VERSION="${PROJECT_VERSION}")
endfunction()

# Seconds after which a test hangs, however busy the machine is; a suite takes some minutes at most on
# two idle cores. Instrumented programs are several times slower.
set(VOXBIT_TEST_TIMEOUT 1800)
if(VOXBIT_SANITIZE)
  set(VOXBIT_TEST_TIMEOUT 6000)
endif()

function(voxbit_test name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;DEPS;LIBS;LABELS" ${ARGN})
  set(torch "")
  if(ARG_TORCH)
    set(torch TORCH)
  endif()
  voxbit_binary(${name} ${torch} TEST SOURCES ${ARG_SOURCES} DEPS ${ARG_DEPS}
                LIBS ${ARG_LIBS} GTest::gmock GTest::gtest_main)
  target_compile_options(${name} PRIVATE ${VOXBIT_TEST_FLAGS})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${VOXBIT_TEST_TIMEOUT} LABELS "${ARG_LABELS}"
    ENVIRONMENT "VOXBIT_SOURCE_DIR=${CMAKE_SOURCE_DIR};VOXBIT_BIN_DIR=${CMAKE_BINARY_DIR}/bin")
endfunction()

function(voxbit_bench name)
  voxbit_binary(${name} ${ARGN})
endfunction()
