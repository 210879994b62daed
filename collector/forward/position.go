package forward

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"thump/internal/vfs"
)

// position is how far a destination has got in the log: all before it was taken.
type position struct {
	Segment int `json:"segment"`
	Records int `json:"records"` // of the segment
}

// readPosition returns the start of the log if there is none.
func readPosition(fsys vfs.FS, path string) (p position, err error) {
	text, err := vfs.ReadFile(fsys, path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return position{}, fmt.Errorf("read position %s: %w", path, err)
	}
	return p, nil
}

func (p position) write(fsys vfs.FS, path string) error {
	text, err := json.Marshal(p)
	if err == nil {
		err = vfs.WriteFile(fsys, path, text)
	}
	if err != nil {
		return fmt.Errorf("write position: %w", err)
	}
	return nil
}
