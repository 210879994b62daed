package rollup

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// examples are windows of every kind.
var examples = []Window{
	{End: five, Count: 3, Sum: 24, Min: 3, Max: 12, First: Point{1, 3}, Last: Point{3, 12}},
	{End: 2 * five, Count: 1, Sum: 1, Min: 1, Max: 1, First: Point{five + 9, 1}, Last: Point{five + 9, 1}, Stale: five + 10},
	{End: 3 * five, Stale: 2*five + 4},
	{End: 7 * five, Count: 30, Sum: 22, Min: 0, Max: 9, First: Point{6*five + 1, 8}, Last: Point{7 * five, 4}, Resets: 9},
	{End: 8 * five, Count: 2, Sum: math.Inf(1), Min: 4, Max: math.Inf(1), First: Point{7*five + 5, 4}, Last: Point{8*five - 1, math.Inf(1)}},
}

func TestChunkHoldsWindows(t *testing.T) {
	c, err := encode(examples)
	if err != nil {
		t.Fatal(err)
	}
	got, err := newChunk(c.Bytes()).windows(five)
	if err != nil || !reflect.DeepEqual(got, examples) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, examples)
	}
	if c.NumSamples() != 4 {
		t.Errorf("%d windows with samples, want 4", c.NumSamples())
	}
}

// TestGolden: what was once written can be read for ever.
func TestGolden(t *testing.T) {
	name := filepath.Join("testdata", "chunk.hex")
	c, err := encode(examples)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(name, []byte(hex.EncodeToString(c.Bytes())+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || !bytes.Equal(c.Bytes(), want) {
		t.Errorf("chunk is %x, want %x (%v)", c.Bytes(), want, err)
	}
}

func TestMalformedChunks(t *testing.T) {
	sound, err := encode(examples)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"empty":                   {},
		"other version":           append([]byte{9}, sound.Bytes()[1:]...),
		"cut":                     sound.Bytes()[:20],
		"column like a later one": {version, 1},
		"column too short":        {version, 2, 0},
	} {
		if _, err := newChunk(b).windows(five); !errors.Is(err, errChunk) {
			t.Errorf("%s: %v, want it refused", name, err)
		}
	}
}

func FuzzChunk(f *testing.F) {
	c, err := encode(examples)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		windows, err := newChunk(b).windows(five)
		if err != nil {
			return
		}
		if len(windows) > maxWindows {
			t.Errorf("%d windows in one chunk", len(windows))
		}
		for i := range windows {
			if windows[i].End%five != 0 {
				t.Errorf("window ends at %d", windows[i].End)
			}
		}
	})
}
