package probe

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// maxFile bounds what is read of one file.
const maxFile = 8 << 20

// lines reads files line by line. It keeps its buffer from file to file.
type lines struct{ buf []byte }

// read calls visit for each line that is not empty.
func (l *lines) read(path string, visit func(line string) error) error {
	if err := l.load(path); err != nil {
		return err
	}
	for rest := string(l.buf); rest != ""; {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		if line == "" {
			continue
		}
		if err := visit(line); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func (l *lines) load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // opened for reading only: nothing to lose
	l.buf = l.buf[:0]
	for {
		if len(l.buf) == cap(l.buf) {
			l.buf = append(l.buf, make([]byte, 4096)...)[:len(l.buf)]
		}
		n, err := f.Read(l.buf[len(l.buf):cap(l.buf)])
		l.buf = l.buf[:len(l.buf)+n]
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case len(l.buf) > maxFile:
			return fmt.Errorf("%s has more than %d bytes", path, maxFile)
		}
	}
}

// cutWord splits off the first word of a line.
func cutWord(line string) (first, rest string) {
	line = strings.TrimLeft(line, " \t")
	if i := strings.IndexAny(line, " \t"); i >= 0 {
		return line[:i], line[i:]
	}
	return line, ""
}

// column is the nth word of a line, from 0; "" if there is none.
func column(line string, n int) string {
	var w string
	for range n + 1 {
		w, line = cutWord(line)
	}
	return w
}

func parseUint(s string) (uint64, error) { return strconv.ParseUint(strings.TrimSpace(s), 10, 64) }

// attribute reads a file of one value, as sysfs has them; "" if there is none or
// its device does not answer.
func attribute(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close() // opened for reading only: nothing to lose
	var buf [4096]byte
	n, err := f.Read(buf[:])
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(buf[:n]))
}

// numberAt reads a file of one number.
func numberAt(path string) (float64, bool) {
	v, err := strconv.ParseFloat(attribute(path), 64)
	return v, err == nil
}
