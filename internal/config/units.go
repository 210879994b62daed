package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that also reads days and weeks: 90s, 12h, 15d, 2w.
type Duration time.Duration

// D is the duration as the standard library's type.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String writes the duration as Set reads it.
func (d Duration) String() string {
	const day = 24 * time.Hour
	if t := time.Duration(d); t >= day && t%day == 0 {
		return strconv.Itoa(int(t/day)) + "d"
	}
	return time.Duration(d).String()
}

// Type is the name of the type in a flag's help.
func (d *Duration) Type() string { return "duration" }

// Set reads a duration.
func (d *Duration) Set(s string) error {
	unit, number := time.Duration(0), ""
	switch {
	case strings.HasSuffix(s, "d"):
		unit, number = 24*time.Hour, strings.TrimSuffix(s, "d")
	case strings.HasSuffix(s, "w"):
		unit, number = 7*24*time.Hour, strings.TrimSuffix(s, "w")
	default:
		t, err := time.ParseDuration(s)
		*d = Duration(t)
		return err
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return fmt.Errorf("invalid duration %q: want for example 90s, 12h, 15d or 2w", s)
	}
	*d = Duration(time.Duration(n) * unit)
	return nil
}

// UnmarshalText reads a duration from a file.
func (d *Duration) UnmarshalText(b []byte) error { return d.Set(string(b)) }

// MarshalText writes the duration as Set reads it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Bytes is a size: 512, 64KiB, 256MiB, 2GiB; KB, MB and GB are powers of ten.
type Bytes int64

var byteUnits = []struct {
	suffix string
	factor int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// String writes the size as Set reads it.
func (b Bytes) String() string {
	for i := 3; i >= 0; i-- {
		if u := byteUnits[i]; b != 0 && int64(b)%u.factor == 0 {
			return strconv.FormatInt(int64(b)/u.factor, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// Type is the name of the type in a flag's help.
func (b *Bytes) Type() string { return "bytes" }

// Set reads a size.
func (b *Bytes) Set(s string) error {
	number, factor := s, int64(1)
	for _, u := range byteUnits {
		if strings.HasSuffix(s, u.suffix) {
			number, factor = strings.TrimSuffix(s, u.suffix), u.factor
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n < 0 || n > (1<<62)/factor {
		return fmt.Errorf("invalid size %q: want for example 64KiB, 256MiB or 2GiB", s)
	}
	*b = Bytes(n * factor)
	return nil
}

// UnmarshalText reads a size from a file.
func (b *Bytes) UnmarshalText(t []byte) error { return b.Set(string(t)) }

// MarshalText writes the size as Set reads it.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }
