# The only find_package calls. docs/dependencies.md says why each is here.
find_package(Threads REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(spdlog 1.10 REQUIRED)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
find_package(SQLite3 3.40 REQUIRED)
find_package(ZLIB 1.2.9 REQUIRED)
find_package(TBB 2021 REQUIRED)
find_package(GTest 1.12 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(Boost 1.74 REQUIRED)

if(VOXBIT_TORCH)
  find_package(Torch 1.13 REQUIRED)
endif()

if(VOXBIT_GRPC)
  # With Debian's LibTorch both use the system's libprotobuf: one copy in a process.
  find_package(Protobuf 3.21 REQUIRED)
  find_package(gRPC CONFIG REQUIRED)
  find_package(PkgConfig REQUIRED)
endif()
