# The flags of every target of ours (STYLE: warnings are errors in CI; foreign headers by -isystem).
add_library(assay_flags INTERFACE)
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
target_compile_definitions(assay_flags INTERFACE
  _POSIX_C_SOURCE=200809L OPENSSL_API_COMPAT=30000 OPENSSL_NO_DEPRECATED)
target_compile_options(assay_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes
  -Wmissing-prototypes -Wcast-qual -Wcast-align -Wpointer-arith -Wwrite-strings -Wundef -Wvla
  -Wformat=2 -Wswitch-enum -Wimplicit-fallthrough -Wnull-dereference
  $<$<C_COMPILER_ID:GNU>:-Wduplicated-cond -Wduplicated-branches -Wlogical-op>
  $<$<BOOL:${ASSAY_WERROR}>:-Werror>
  -fstack-protector-strong -fno-omit-frame-pointer)
target_link_options(assay_flags INTERFACE -Wl,-z,relro,-z,now)
# Programs that ship are optimized as a whole; tests link the same libraries as they were compiled, since
# dozens of such links take longer than all the rest.
add_library(assay_library_flags INTERFACE)
if(CMAKE_INTERPROCEDURAL_OPTIMIZATION)
  target_compile_options(assay_library_flags INTERFACE $<$<C_COMPILER_ID:GNU>:-ffat-lto-objects>)
endif()
# What hardens and not every compiler or machine has; a test looks for each in the release build.
include(CheckCCompilerFlag)
foreach(flag -fstack-clash-protection -fcf-protection)
  string(MAKE_C_IDENTIFIER "ASSAY_HAS${flag}" has)
  check_c_compiler_flag(${flag} ${has})
  if(${has} AND NOT ASSAY_SANITIZE)
    target_compile_options(assay_flags INTERFACE ${flag})
  endif()
endforeach()
if(ASSAY_SANITIZE)
  target_compile_options(assay_flags INTERFACE
    -fsanitize=${ASSAY_SANITIZE} -fno-sanitize-recover=all -g)
  target_link_options(assay_flags INTERFACE -fsanitize=${ASSAY_SANITIZE})
  if(ASSAY_FUZZ) # what is fuzzed tells the fuzzer where it has been
    target_compile_options(assay_flags INTERFACE -fsanitize=fuzzer-no-link)
  endif()
  if(ASSAY_SANITIZE MATCHES address)
    target_compile_definitions(assay_flags INTERFACE ASSAY_ARENA_CHECKED)
  endif()
else()
  target_compile_definitions(assay_flags INTERFACE $<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
endif()
