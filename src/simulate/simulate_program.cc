#include "simulate/simulate.h"

int main(int argc, char** argv) {
  return snug::simulate::SimulateMain(argc, argv);
}
