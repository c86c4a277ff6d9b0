// Writes any dataset as files.
#pragma once

#include <string>
#include <vector>

#include "common/status.h"
#include "worker/data/dataset.h"
#include "worker/data/files/class_map.h"

namespace voxbit::data {

// The raw ids that WriteSemanticKittiFolder gives to classes of these names.
ClassMap WrittenClassMap(const std::vector<std::string>& class_names);

// Writes every scan of both splits under `root` in the folder layout that "semantic_kitti" reads:
// velodyne/<name>.bin (float32 [N,4]), labels/<name>.label (uint32 [N]), classes.tsv, train.txt,
// val.txt. Raw ids are train id + 1; 0 is ignored. A "/" in a scan's name becomes "_". The split
// files come last, so a folder that was cut off cannot be opened by mistake.
// INVALID_ARGUMENT for an unlabelled scan; what Load and the file system say otherwise.
Status WriteSemanticKittiFolder(const Dataset& dataset, const std::string& root);

// Writes every object of a dataset with the parts of ShapeNet-part under `root` in the published
// layout (v0_normal) that "shapenet_part" reads: synsetoffset2category.txt,
// train_test_split/shuffled_*_file_list.json and SYNSET/ID.txt with rows x y z nx ny nz part, where
// ID is the name of the object without the folders before it. Numbers are read back bit for bit.
// The split files come last. INVALID_ARGUMENT for an object without normals, category or parts;
// what Load and the file system say otherwise.
Status WriteShapeNetPartFolder(const Dataset& dataset, const std::string& root);

}  // namespace voxbit::data
