//go:build !linux

package vfs

import "runtime"

// dirsSync: Windows cannot flush a folder; NTFS journals its names.
const dirsSync = runtime.GOOS != "windows"

// Allocate implements File.
func (f osFile) Allocate(size int64) error { return f.lengthen(size) }
