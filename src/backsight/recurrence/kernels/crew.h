// Other threads, which help with a call as long as their cores have nothing else to do.
#pragma once

namespace backsight {

// Does shares `begin .. end` of a work. `place` tells threads apart that work side by side; the caller's is 0.
using Share = void (*)(void* work, long place, long begin, long end);

// How many threads will do a work of so many shares, the caller's included. Must be followed by `deal`.
long gather(long shares);

// Deals the shares to the threads that were gathered, evenly and in order, and returns when all are done.
void deal(long threads, long shares, Share share, void* work);

// A training begins (+1) or ends (-1): calls leave the other cores to the trainings beside their own.
void count_trainings(long change);

}  // namespace backsight
