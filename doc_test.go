// Package thump has no code at the top: this folder's tests hold the
// architecture of the whole tree.
package thump

import "os"

var root = os.DirFS(".")
