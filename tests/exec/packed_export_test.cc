// Bundles of quantized candidates: the packed file beside the float weights.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "supernet/export/packed_network.h"
#include "tests/exec/exec_fixture.h"
#include "worker/exec/checkpoint.h"

namespace voxbit::worker {
namespace {

// A cube of voxels with features.
supernet::NetInput Cube(int64_t in_channels) {
  const at::Tensor index = at::arange(216, at::kInt);
  const auto digit = [&](int64_t place) { return index.div(place, "floor").remainder(6); };
  const at::Tensor coords =
      at::stack({digit(1), digit(6), digit(36), at::zeros_like(index)}, 1).to(at::kInt);
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(1);
  return supernet::MakeNetInput(coords.contiguous(), at::rand({216, in_channels}, generator), 1);
}

class PackedExportTest : public ExecTest {
 protected:
  void SetUp() override {
    ExecTest::SetUp();
    supernet::RegisterBuiltinSupernets(supernets_);
  }

  void Quantize() {
    search::SupernetSpecRegistry registry("supernet");
    supernet::RegisterBuiltinSpecs(registry);
    Json config = spec_->config();
    config["quantization"] = {{"weight_bits", {2, 4}}, {"activation_bits", {8}}};
    auto spec = registry.Find("spvnas").value()(config, "");
    ASSERT_TRUE(spec.ok()) << spec.status();
    spec_ = std::move(spec).value();
  }

  search::TaskSpec ExportSpec(const std::string& weights) const {
    return Spec(search::TaskKind::kExport, {{"manifest", {{"format", "voxbit-export"}}},
                                            {"weights", weights},
                                            {"evaluate", EvaluateJson()}});
  }

  Json ManifestOf(const search::TaskResult& result) const {
    return ReadJsonFile(artifacts_.PathOf(result.artifacts.at("manifest.json"))).value();
  }

  // Both files of a bundle hold the network that `result` is of.
  void ExpectOneNetwork(const search::TaskSpec& spec, const search::TaskResult& result) {
    const auto file =
        exporter::PackedFile::Read(artifacts_.PathOf(result.artifacts.at("weights.vxb")));
    ASSERT_TRUE(file.ok()) << file.status();
    const auto packed = exporter::LoadPacked(*file, supernets_);
    ASSERT_TRUE(packed.ok()) << packed.status();

    const auto identity = exporter::ParseIdentity(file->metadata()).value();
    const auto make = supernets_.Find("spvnas").value();
    const auto net = make(spec.supernet, "", identity.in_channels, identity.num_classes, 9)
                         .value()
                         ->Standalone(spec.candidate);
    const Status loaded =
        LoadWeights(artifacts_.PathOf(result.artifacts.at("weights.safetensors")), *net);
    ASSERT_TRUE(loaded.ok()) << loaded;
    net->eval();
    const at::NoGradGuard no_grad;
    const supernet::NetInput input = Cube(identity.in_channels);
    EXPECT_TRUE(
        at::allclose((*packed)->Forward(input), net->Forward(input), /*rtol=*/0, /*atol=*/1e-5));
  }

  supernet::SupernetRegistry supernets_{"supernet"};
};

TEST_F(PackedExportTest, ThePackedFileIsTheNetworkOfTheWeights) {
  Quantize();
  Train();
  const search::TaskSpec spec = ExportSpec("");
  const auto result = Run(spec);
  ASSERT_TRUE(result.ok()) << result.status();
  ExpectOneNetwork(spec, *result);
}

TEST_F(PackedExportTest, FinetunedWeightsArePacked) {
  Quantize();
  Train();
  const auto finetuned = Run(FinetuneSpec(2));
  ASSERT_TRUE(finetuned.ok()) << finetuned.status();
  const search::TaskSpec spec = ExportSpec(finetuned->artifacts.at("finetuned_weights"));
  const auto result = Run(spec);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(ManifestOf(*result).at("weights").at("source"), "finetune");
  ExpectOneNetwork(spec, *result);
}

TEST_F(PackedExportTest, TheManifestNamesThePackedFileAndItsPromisedSize) {
  Quantize();
  Train(2);
  search::TaskSpec spec = ExportSpec("");
  spec.candidate = spec_->space().Largest();
  const auto result = Run(spec);
  ASSERT_TRUE(result.ok()) << result.status();
  const Json manifest = ManifestOf(*result);
  const Json& packed = manifest.at("packed");
  const std::string bytes =
      ReadFile(artifacts_.PathOf(result->artifacts.at("weights.vxb"))).value();
  EXPECT_EQ(packed.at("file"), "weights.vxb");
  // "VXBP", then the version as a little-endian integer.
  EXPECT_EQ(packed.at("version"), bytes.at(4));
  EXPECT_EQ(packed.at("sha256"), result->artifacts.at("weights.vxb"));
  EXPECT_EQ(packed.at("bytes"), bytes.size());
  EXPECT_NEAR(packed.at("bytes").get<double>() / packed.at("size_bytes").get<double>(), 1, 0.01);
  EXPECT_TRUE(manifest.at("weights").contains("values"));
}

TEST_F(PackedExportTest, AFloatNetworkHasNoPackedFile) {
  Train(2);
  const auto result = Run(ExportSpec(""));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->artifacts.count("weights.vxb"), 0U);
  EXPECT_FALSE(ManifestOf(*result).contains("packed"));
}

}  // namespace
}  // namespace voxbit::worker
