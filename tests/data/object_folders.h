// Folders of objects for tests, made on the fly.
#pragma once

#include <string>
#include <utility>

#include "tests/data/data_folders.h"

namespace voxbit::data {

inline Result<std::unique_ptr<Dataset>> OpenKind(const std::string& kind,
                                                 Json more = Json::object()) {
  more["kind"] = kind;
  return OpenDataset(BuiltinDatasets(), more, "/dataset");
}

// Three points of a mug; the parts 36 and 37.
inline constexpr char kMugRows[] =
    "0 0 0 1 0 0 36.000000\n"
    "1 0 0.5 0 1 0 37.000000\n"
    "0 2 0 0 0 -1 37.000000\n";

// The published layout: two mugs and a cap for training, one mug each for validation and testing.
inline void WriteShapeNet(const std::string& root) {
  WriteText(root + "/synsetoffset2category.txt", "Cap\t02954340\nMug\t03797390\n");
  const std::string lists = root + "/train_test_split/shuffled_";
  WriteText(lists + "train_file_list.json",
            R"(["shape_data/03797390/a", "shape_data/02954340/b", "shape_data/03797390/c"])");
  WriteText(lists + "val_file_list.json", R"(["shape_data/03797390/d"])");
  WriteText(lists + "test_file_list.json", R"(["shape_data/03797390/e"])");
  for (const char* mug : {"a", "c", "d", "e"}) {
    WriteText(root + "/03797390/" + mug + ".txt", kMugRows);
  }
  WriteText(root + "/02954340/b.txt", "0 0 0 0 1 0 6\n0 1 0 0 1 0 7");
}

// One category "Valve" of 14 parts with the ids 1, 4, 7, ..., 40, in the plain layout: three
// training objects, one validation object and one test object of 28 points each.
inline void WriteOwnParts(const std::string& root) {
  std::string table = "# made by hand\ncategory\tpart_id\tname\n";
  std::string rows;
  for (int part = 0; part < 14; ++part) {
    const std::string id = std::to_string(3 * part + 1);
    table.append("Valve\t").append(id).append("\tpart ").append(std::to_string(part)).append("\n");
    for (const char* y : {" 0.5 ", " -0.5 "}) {
      rows.append(std::to_string(part)).append(y).append("0.1 0 0 1 ").append(id).append("\n");
    }
  }
  WriteText(root + "/parts.tsv", table);
  for (const char* name : {"a", "b", "c", "d", "e"}) WriteText(root + "/" + name + ".txt", rows);
  WriteText(root + "/train.txt", "a\nb\nc\n");
  WriteText(root + "/val.txt", "d\n");
  WriteText(root + "/test.txt", "e\n");
}

// Twelve points "i,0,0,0,0,1", i from 0.
inline std::string ModelNetRows() {
  std::string rows;
  for (int i = 0; i < 12; ++i) rows += std::to_string(i) + ",0,0,0,0,1\n";
  return rows;
}

// The published layout of text files: two classes, three training objects and one test object each.
inline void WriteModelNet(const std::string& root) {
  WriteText(root + "/modelnet40_shape_names.txt", "chair\nnight_stand\n");
  std::string train;
  std::string test;
  for (const std::string name : {"chair", "night_stand"}) {
    for (const std::string number : {"_0001", "_0002", "_0003", "_0004"}) {
      std::string path = root;
      path.append("/").append(name).append("/").append(name).append(number).append(".txt");
      WriteText(path, ModelNetRows());
      (number == "_0004" ? test : train).append(name).append(number).append("\n");
    }
  }
  WriteText(root + "/modelnet40_train.txt", train);
  WriteText(root + "/modelnet40_test.txt", test);
}

// A square of side 2 in the plane z = 1, of two triangles.
inline constexpr char kSquareOff[] =
    "OFF\n"
    "4 2 0\n"
    "0 0 1\n2 0 1\n2 2 1\n0 2 1\n"
    "3 0 1 2\n3 0 2 3\n";

// The original layout of meshes: two classes, two training objects and one test object each.
inline void WriteMeshes(const std::string& root) {
  for (const std::string name : {"bed", "desk"}) {
    for (const std::string place : {"/train/@_0001.off", "/train/@_0002.off", "/test/@_0003.off"}) {
      std::string path = root;
      path.append("/").append(name).append(place);
      WriteText(path.replace(path.find('@'), 1, name), kSquareOff);
    }
  }
}

}  // namespace voxbit::data
