#include "worker/data/objects/object_categories.h"

namespace voxbit::data {

const std::vector<ObjectCategory>& ShapeNetCategories() {
  static const std::vector<ObjectCategory> categories = {
      {"Airplane", "02691156", 0, {"body", "wing", "tail", "engine"}},
      {"Bag", "02773838", 4, {"handle", "body"}},
      {"Cap", "02954340", 6, {"panels", "peak"}},
      {"Car", "02958343", 8, {"roof", "hood", "wheel", "body"}},
      {"Chair", "03001627", 12, {"back", "seat", "leg", "arm"}},
      {"Earphone", "03261776", 16, {"earcup", "headband", "wire"}},
      {"Guitar", "03467517", 19, {"head", "neck", "body"}},
      {"Knife", "03624134", 22, {"blade", "handle"}},
      {"Lamp", "03636649", 24, {"base", "shade", "bracket", "stem"}},
      {"Laptop", "03642806", 28, {"keyboard", "screen"}},
      {"Motorbike", "03790512", 30, {"tank", "seat", "wheel", "handlebar", "light", "frame"}},
      {"Mug", "03797390", 36, {"handle", "cup"}},
      {"Pistol", "03948459", 38, {"barrel", "handle", "trigger"}},
      {"Rocket", "04099429", 41, {"body", "fin", "nose"}},
      {"Skateboard", "04225987", 44, {"wheel", "deck", "belt"}},
      {"Table", "04379243", 47, {"top", "leg", "drawer"}},
  };
  return categories;
}

int32_t CategoryOfPart(int32_t part) {
  const auto& categories = ShapeNetCategories();
  for (size_t i = 0; i < categories.size(); ++i) {
    if (categories[i].HasPart(part)) return static_cast<int32_t>(i);
  }
  return -1;
}

}  // namespace voxbit::data
