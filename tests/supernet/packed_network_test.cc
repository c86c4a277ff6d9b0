// Quantized networks through packed files: equal outputs, the promised size, a reader in another
// language, files that do not fit.
#include "supernet/export/packed_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <sstream>

#include "common/digest.h"
#include "common/files.h"
#include "tests/supernet/test_tensors.h"
#include "tests/support/output_of.h"
#include "tests/support/shared_data.h"
#include "tests/support/temp_dir.h"

namespace voxbit::exporter {
namespace {

using supernet::NetInput;
using ::testing::HasSubstr;

constexpr int64_t kInChannels = 6;
constexpr int64_t kNumClasses = 5;

const supernet::SupernetRegistry& Registry() {
  static const supernet::SupernetRegistry registry = [] {
    supernet::SupernetRegistry made("supernet");
    supernet::RegisterBuiltinSupernets(made);
    return made;
  }();
  return registry;
}

Json Spvnas(const Json& quantization, double width = 0.25) {
  return {{"kind", "spvnas"}, {"width", width}, {"quantization", quantization}};
}

NetInput Voxels() {
  const at::Tensor coords = supernet::RandomVoxels(150, 2, 12, 3);
  return supernet::MakeNetInput(coords, supernet::RandomTensor({coords.size(0), kInChannels}, 4),
                                2);
}

// A quantized network with statistics and ranges of `input`, and what is said of it.
struct Quantized {
  PackedIdentity identity;
  std::shared_ptr<supernet::Network> net;
  double cost_bytes = 0;

  std::string Bytes() const {
    const Result<std::string> bytes = PackNetwork(*net, identity);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    return bytes.value();
  }
};

Quantized Make(const Json& config, const NetInput& input, uint64_t seed) {
  const at::NoGradGuard no_grad;
  const int64_t in_channels = input.clouds.defined() ? input.clouds.size(2) : kInChannels;
  const auto supernet = Registry()
                            .Find(config["kind"].get<std::string>())
                            .value()(config, "", in_channels, kNumClasses, seed);
  EXPECT_TRUE(supernet.ok()) << supernet.status();
  const search::SupernetSpec& spec = (*supernet)->spec();
  Quantized made;
  Rng rng(seed);
  made.identity = {spec.config(), spec.space().digest(), spec.space().Sample(rng), in_channels,
                   kNumClasses};
  made.net = (*supernet)->Standalone(made.identity.candidate);
  made.net->eval();
  made.net->BeginRangeCalibration();
  made.net->Forward(input);
  made.net->EndRangeCalibration();
  made.net->BeginCalibration();
  made.net->Forward(input);
  made.net->EndCalibration();
  for (const auto& row : spec.Expand(made.identity.candidate, in_channels, kNumClasses)) {
    made.cost_bytes += static_cast<double>(row.StoredBytes());
  }
  return made;
}

PackedFile Parsed(std::string bytes) {
  auto file = PackedFile::Parse(std::move(bytes));
  EXPECT_TRUE(file.ok()) << file.status();
  return file.value();
}

// The network computes the same after a file; the file holds codings of `codings`.
void ExpectSameOutputs(const Json& config, const NetInput& input,
                       const std::set<quant::Coding>& codings) {
  SCOPED_TRACE(config.dump());
  const Quantized quantized = Make(config, input, 1);
  const at::NoGradGuard no_grad;
  const at::Tensor expected = quantized.net->Forward(input);
  EXPECT_TRUE(expected.isfinite().all().item<bool>());
  const PackedFile file = Parsed(quantized.Bytes());
  std::set<quant::Coding> found;
  for (const PackedView& view : file.tensors()) found.insert(view.coding);
  EXPECT_EQ(found, codings);
  const auto loaded = LoadPacked(file, Registry());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_FALSE((*loaded)->is_training());
  EXPECT_TRUE((*loaded)->Forward(input).equal(expected));
  // Packing changed nothing.
  EXPECT_TRUE(quantized.net->Forward(input).equal(expected));
}

TEST(PackedNetworkTest, EveryMethodComputesTheSameAfterTheFile) {
  using quant::Coding;
  const NetInput input = Voxels();
  const Json bits = {1, 2, 3, 4, 5, 6, 7, 8, 16, 32};
  const std::vector<std::pair<Json, std::set<Coding>>> cases = {
      {{{"weight_quantizer", "kmeans"}}, {Coding::kCodebook, Coding::kHalf, Coding::kFloat}},
      {{{"weight_quantizer", "kmeans"}, {"activation_bits", {4, 6, 8}}},
       {Coding::kCodebook, Coding::kHalf, Coding::kFloat}},
      {{{"weight_quantizer", "linear"}, {"activation_bits", {1, 4, 16, 32}}},
       {Coding::kLinear, Coding::kFloat}},
      {{{"weight_quantizer", "linear"}, {"per_channel", true}, {"activation_bits", {8}}},
       {Coding::kLinear, Coding::kFloat}},
      {{{"weight_quantizer", "affine"}, {"per_channel", true}, {"pinned", Json::array()}},
       {Coding::kLinear, Coding::kFloat}},
      {{{"weight_quantizer", "dorefa"}}, {Coding::kLinear, Coding::kFloat}},
      {{{"weight_quantizer", "lsq"},
        {"per_channel", true},
        {"activation_quantizer", "lsq"},
        {"activation_bits", {4}}},
       {Coding::kLinear, Coding::kFloat}}};
  for (auto [quantization, codings] : cases) {
    quantization["weight_bits"] = bits;
    ExpectSameOutputs(Spvnas(quantization), input, codings);
  }
}

TEST(PackedNetworkTest, EveryWidthComputesTheSameAfterTheFile) {
  const NetInput input = Voxels();
  for (const int64_t bits : {1, 2, 3, 4, 5, 6, 7, 8, 16}) {
    const bool is_half = bits == 16;
    ExpectSameOutputs(
        Spvnas({{"weight_bits", {bits}}}), input,
        {is_half ? quant::Coding::kHalf : quant::Coding::kCodebook, quant::Coding::kFloat});
    ExpectSameOutputs(
        Spvnas(
            {{"weight_bits", {bits}}, {"weight_quantizer", "linear"}, {"activation_bits", {bits}}}),
        input, {quant::Coding::kLinear, quant::Coding::kFloat});
  }
}

TEST(PackedNetworkTest, EverySupernetOfThisBuildComputesTheSameAfterTheFile) {
  const std::map<std::string, Json> small = {
      {"spvnas", {{"width", 0.25}}},
      {"point_transformer",
       {{"width", 0.046875}, {"channels", 8}, {"levels", 2}, {"neighbours", {3, 6}}}},
      {"pct", {{"channels", 8}, {"picked", {24, 12}}, {"neighbours", {4, 8}}}}};
  for (const std::string& kind : Registry().Names()) {
    ASSERT_EQ(small.count(kind), 1U) << kind << " needs a small configuration here";
    Json config = small.at(kind);
    config["kind"] = kind;
    const auto spec = Registry().Find(kind).value()(config, "", kInChannels, kNumClasses, 1);
    ASSERT_TRUE(spec.ok()) << spec.status();
    const bool is_cloud = (*spec)->spec().input_form() == search::InputForm::kClouds;
    const NetInput input =
        is_cloud ? supernet::MakeCloudInput(supernet::RandomTensor({3, 60, kInChannels}, 8))
                 : Voxels();
    config["quantization"] = {{"weight_bits", {2, 3, 4}}, {"activation_bits", {4, 8}}};
    ExpectSameOutputs(config, input, {quant::Coding::kCodebook, quant::Coding::kFloat});
  }
}

TEST(PackedNetworkTest, ANetworkWithoutQuantizationIsFloats) {
  ExpectSameOutputs({{"kind", "spvnas"}, {"width", 0.25}}, Voxels(), {quant::Coding::kFloat});
}

void ExpectPromisedSize(const Json& config, const NetInput& input) {
  SCOPED_TRACE(config.dump());
  const Quantized quantized = Make(config, input, 2);
  const auto bytes = static_cast<double>(quantized.Bytes().size());
  EXPECT_GT(bytes, 80e3);
  EXPECT_NEAR(bytes / quantized.cost_bytes, 1, 0.01) << bytes << " bytes";
}

TEST(PackedNetworkTest, TheFileHasThePromisedSize) {
  const NetInput voxels = Voxels();
  for (const char* method : {"kmeans", "linear"}) {
    ExpectPromisedSize(
        Spvnas({{"weight_bits", {2, 3, 4}}, {"weight_quantizer", method}, {"activation_bits", {8}}},
               0.5),
        voxels);
  }
  // Parts are told with the category of the object: three coordinates and one of 16.
  for (const auto& [task, features] : {std::pair("classification", 3), {"segmentation", 19}}) {
    ExpectPromisedSize({{"kind", "pct"},
                        {"task", task},
                        {"channels", 16},
                        {"picked", {24, 12}},
                        {"neighbours", {4, 8}},
                        {"quantization", {{"weight_bits", {2, 3, 4}}}}},
                       supernet::MakeCloudInput(supernet::RandomTensor({2, 60, features}, 8)));
  }
}

TEST(PackedNetworkTest, TheSmallNetworkOfTheExampleHasThePromisedSize) {
  const std::string path = testing::SourceDir() + "/deploy/examples/bits_objects.json";
  const Json config = Json::parse(ReadFile(path).value(), nullptr, true, /*ignore_comments=*/true);
  ExpectPromisedSize(config["studies"][0]["supernet"],
                     supernet::MakeCloudInput(supernet::RandomTensor({2, 256, kInChannels}, 8)));
}

TEST(PackedNetworkTest, ScalesOfChannelsPutThemFirst) {
  const Quantized quantized =
      Make(Spvnas({{"weight_bits", {4}}, {"weight_quantizer", "linear"}, {"per_channel", true}}),
           Voxels(), 3);
  const supernet::TensorMap tensors = quantized.net->NamedTensors();
  const PackedFile file = Parsed(quantized.Bytes());
  for (const PackedView& view : file.tensors()) {
    if (view.name != "stem.3.kernel") continue;
    const auto sizes = tensors.at(view.name).sizes();
    EXPECT_EQ(view.shape, (std::vector<int64_t>{sizes[2], sizes[0], sizes[1]}));
    return;
  }
  FAIL() << "no stem.3.kernel";
}

TEST(PackedNetworkTest, AnotherReaderFindsTheSameValues) {
  const testing::TempDir dir;
  for (const char* method : {"kmeans", "affine", "lsq"}) {
    const Quantized quantized =
        Make(Spvnas({{"weight_bits", {1, 2, 3, 5, 8, 16, 32}}, {"weight_quantizer", method}}),
             Voxels(), 4);
    const std::string path = dir.File("network.vxb");
    ASSERT_TRUE(WriteFileAtomically(path, quantized.Bytes()).ok());
    std::istringstream lines(testing::OutputOf("/usr/bin/python3 '" + testing::SourceDir() +
                                               "/tests/interop/packed_reader.py' '" + path + "'"));
    std::string line;
    ASSERT_TRUE(std::getline(lines, line)) << "the reader printed nothing";
    const PackedFile file = PackedFile::Read(path).value();
    EXPECT_EQ(Json::parse(line)["metadata"], file.metadata());
    for (const PackedView& view : file.tensors()) {
      ASSERT_TRUE(std::getline(lines, line));
      const Json found = Json::parse(line);
      EXPECT_EQ(found["name"], view.name);
      EXPECT_EQ(found["shape"], Json(view.shape));
      const at::Tensor values = quant::Dequantize(ToQuantized(view).value()).contiguous();
      EXPECT_EQ(found["sha256"],
                Sha256Hex({static_cast<const char*>(values.data_ptr()), values.nbytes()}))
          << view.name;
    }
    EXPECT_FALSE(std::getline(lines, line));
  }
}

// The file of a network with changes of its metadata and its tensors.
template <class Change>
Status LoadChanged(const Change& change) {
  static const std::string bytes = Make(Spvnas({{"weight_bits", {3}}}), Voxels(), 5).Bytes();
  const PackedFile file = Parsed(bytes);
  Json metadata = file.metadata();
  std::vector<PackedView> tensors = file.tensors();
  change(metadata, tensors);
  return LoadPacked(Parsed(SerializePacked(metadata, tensors).value()), Registry()).status();
}

void ExpectChangedMetadata(const char* pointer, const Json& value, StatusCode code,
                           const std::string& why) {
  const Status status = LoadChanged([&](Json& metadata, std::vector<PackedView>& /*tensors*/) {
    metadata[Json::json_pointer(pointer)] = value;
  });
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(status.message(), HasSubstr(why));
}

TEST(PackedNetworkTest, MetadataOfNoNetworkAreRefused) {
  const auto bad = StatusCode::kInvalidArgument;
  EXPECT_TRUE(LoadChanged([](Json&, std::vector<PackedView>&) {}).ok());
  ExpectChangedMetadata("/supernet/kind", "no_such_net", bad, "no_such_net");
  ExpectChangedMetadata("/supernet/width", "x", bad, "/metadata/supernet/width");
  ExpectChangedMetadata("/supernet", 3, bad, "/metadata/supernet");
  ExpectChangedMetadata("/more", 3, bad, "more");
  ExpectChangedMetadata("/candidate", "x", bad, "/metadata/candidate");
  ExpectChangedMetadata("/candidate", "0", bad, "/metadata/candidate");
  ExpectChangedMetadata("/in_channels", 1'000'000'000, bad, "/metadata/in_channels");
  ExpectChangedMetadata("/num_classes", 0, bad, "/metadata/num_classes");
  ExpectChangedMetadata("/in_channels", 7, StatusCode::kFailedPrecondition, "stem.0.kernel");
  ExpectChangedMetadata("/space_digest", "0", StatusCode::kFailedPrecondition, "search space");
  EXPECT_EQ(LoadChanged([](Json& metadata, std::vector<PackedView>&) {
              metadata.erase("candidate");
            }).code(),
            bad);
}

TEST(PackedNetworkTest, TensorsOfAnotherNetworkAreRefused) {
  using Views = std::vector<PackedView>;
  const auto view_of = [](Views& views, const std::string& name) -> PackedView& {
    return *std::find_if(views.begin(), views.end(),
                         [&](const PackedView& view) { return view.name == name; });
  };
  const auto expect = [](const Status& status, StatusCode code, const std::string& why) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(status.message(), HasSubstr(why));
  };
  for (const char* name : {"stem.3.kernel", "stem.1.bias"}) {  // quantized, float
    expect(LoadChanged([&](Json&, Views& views) { view_of(views, name).name = "other"; }),
           StatusCode::kFailedPrecondition, name);
    expect(LoadChanged([&](Json&, Views& views) {
             PackedView& view = view_of(views, name);
             view.shape = {1, view.shape[0], view.shape.size() > 1 ? view.shape[1] : 1,
                           view.shape.size() > 2 ? view.shape[2] : 1};
           }),
           StatusCode::kFailedPrecondition, name);
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::string nans = std::string(reinterpret_cast<const char*>(&nan), 4);
  expect(LoadChanged([&](Json&, Views& views) {
           static std::string book;
           PackedView& view = view_of(views, "stem.3.kernel");
           book = nans + std::string(view.codebook.substr(4));
           view.codebook = book;
         }),
         StatusCode::kDataLoss, "no finite number");
  expect(LoadChanged([&](Json&, Views& views) {
           PackedView& view = view_of(views, "stem.3.kernel");
           view.codebook = view.codebook.substr(0, 4);
         }),
         StatusCode::kDataLoss, "no entry");
}

TEST(PackedNetworkTest, ValuesThatAreNotFiniteAreNotPacked) {
  const Quantized quantized = Make(Spvnas({{"weight_bits", {3}}}), Voxels(), 6);
  const at::NoGradGuard no_grad;
  quantized.net->NamedTensors().at("stem.3.kernel").view(-1)[0] = std::nan("");
  const Status status = PackNetwork(*quantized.net, quantized.identity).status();
  EXPECT_EQ(status.code(), StatusCode::kInfeasible);
  EXPECT_THAT(status.message(), HasSubstr("stem.3.kernel"));
}

}  // namespace
}  // namespace voxbit::exporter
