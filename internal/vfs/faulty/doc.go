// Package faulty is a disk in memory for tests: it fails the operation that the test
// names, before or after it took effect, runs out of space, and loses at a power cut
// what was not synced.
//
// It is as hostile as file systems are allowed to be: writes since the last Sync may
// survive a power cut in any combination, sectors apart, and so may changes of names; a Sync that fails forgets what
// it should have written, so that the next one succeeds without it; a name survives only
// if its folder was synced.
package faulty
