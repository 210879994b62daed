package probe

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
)

// fields reads files of lines "name value [unit]", the form of meminfo and
// vmstat. It keeps its buffer from file to file.
type fields struct{ buf bytes.Buffer }

// read calls visit for each line; name and unit are valid only during the call.
func (f *fields) read(path string, visit func(name []byte, value float64, unit []byte)) error {
	if err := f.load(path); err != nil {
		return err
	}
	for rest := f.buf.Bytes(); len(rest) > 0; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte{'\n'})
		name, tail := word(line)
		number, tail := word(tail)
		if len(number) == 0 {
			continue
		}
		value, err := strconv.ParseFloat(string(number), 64)
		if err != nil {
			return fmt.Errorf("field %s: %w", name, err)
		}
		unit, _ := word(tail)
		visit(name, value, unit)
	}
	return nil
}

func (f *fields) load(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close() // opened for reading only: nothing to lose
	f.buf.Reset()
	_, err = io.Copy(&f.buf, file)
	return err
}

// word splits off the first word of a line.
func word(line []byte) (first, rest []byte) {
	line = bytes.TrimLeft(line, " \t")
	if i := bytes.IndexAny(line, " \t"); i >= 0 {
		return line[:i], line[i:]
	}
	return line, nil
}
