# Debian packages first; then the wheels that tools/setup/venvs.sh has put into build/venv.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(LibArchive REQUIRED)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
find_package(ZLIB REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)

# gRPC and protobuf, statically: their symbols must not be visible to a plug-in that brings its own (TensorFlow
# does), and a program then runs where those packages are not installed.
# Asked once: pkg-config takes seconds over gRPC's hundred packages.
if(NOT DEFINED CACHE{SNUG_GRPC_LIBS})
  execute_process(COMMAND ${PKG_CONFIG_EXECUTABLE} --static --libs-only-l grpc++ protobuf
                  OUTPUT_VARIABLE grpc_libs OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "-l[^ \n]+" grpc_libs "${grpc_libs}")
  list(REMOVE_DUPLICATES grpc_libs)
  list(FILTER grpc_libs EXCLUDE REGEX "^-l(z|systemd|dl|pthread|m|rt|ssl|crypto)$")
  list(JOIN grpc_libs " " grpc_libs)
  set(SNUG_GRPC_LIBS "${grpc_libs}" CACHE INTERNAL "Static libraries of gRPC and protobuf")
endif()
add_library(snug_grpc INTERFACE)
target_link_libraries(snug_grpc INTERFACE
  "-Wl,-Bstatic -Wl,--start-group ${SNUG_GRPC_LIBS} -lprotobuf -Wl,--end-group -Wl,-Bdynamic"
  OpenSSL::SSL OpenSSL::Crypto ZLIB::ZLIB Threads::Threads ${CMAKE_DL_LIBS})

# The engines' wheels.
set(SNUG_VENV ${CMAKE_SOURCE_DIR}/build/venv CACHE PATH "Virtual environments made by tools/setup/venvs.sh")
file(GLOB SNUG_RUNTIME_SITE ${SNUG_VENV}/runtime/lib/python3*/site-packages)
if(NOT SNUG_RUNTIME_SITE)
  message(FATAL_ERROR "The engines' wheels are missing: run tools/setup/venvs.sh runtime (or `make build`, which does)")
endif()
find_package(OpenVINO REQUIRED COMPONENTS Runtime PATHS ${SNUG_RUNTIME_SITE}/openvino/cmake NO_DEFAULT_PATH)

add_library(snug_tensorflow INTERFACE)
target_include_directories(snug_tensorflow SYSTEM INTERFACE ${SNUG_RUNTIME_SITE}/tensorflow/include)
target_link_libraries(snug_tensorflow INTERFACE
  ${SNUG_RUNTIME_SITE}/tensorflow/libtensorflow_cc.so.2
  ${SNUG_RUNTIME_SITE}/tensorflow/libtensorflow_framework.so.2)
