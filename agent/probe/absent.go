package probe

import (
	"errors"
	"io/fs"
)

// absent leaves out that a file does not exist: this host has no such thing.
func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
