package check

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"time"
)

// TCP connects, and may say something and expect an answer. No connection or a
// wrong answer is critical.
type TCP struct {
	// Address is HOST:PORT.
	Address string `yaml:"address"`
	// Send is written once connected.
	Send string `yaml:"send"`
	// Expect is a regular expression that must be found in the first 4 KiB of the answer.
	Expect *Regexp `yaml:"expect"`

	Latency `yaml:",inline"`
}

const maxAnswer = 4 << 10

func (c *TCP) validate(p *problems) {
	validateAddress(p, "tcp", c.Address)
	c.Latency.validate(p, "tcp")
}

func (c *TCP) open(_ *Spec, _ Env) (runner, error) { return c, nil }

// run implements runner.
func (c *TCP) run(ctx context.Context, o *output) (verdict, error) {
	start := time.Now()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", c.Address)
	if err != nil {
		return verdict{critical, err.Error()}, nil
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // what waits on it ends with an error
	defer stop()
	defer conn.Close() // nothing buffered to lose
	o.put("thump_tcp_connect_seconds", "How long the connection took.", time.Since(start).Seconds())
	if err := c.talk(conn); err != nil {
		return verdict{critical, err.Error()}, nil
	}
	v := verdict{ok, "connected to " + c.Address}
	c.judge(&v, "answer", time.Since(start))
	return v, nil
}

// talk sends and expects.
func (c *TCP) talk(conn net.Conn) error {
	if c.Send != "" {
		if _, err := io.WriteString(conn, c.Send); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	if c.Expect == nil {
		return nil
	}
	r := bufio.NewReaderSize(conn, maxAnswer)
	for n := 1; ; n = r.Buffered() + 1 {
		if n > maxAnswer {
			return fmt.Errorf("%q is not in the first %d bytes of the answer", c.Expect.String(), maxAnswer)
		}
		_, err := r.Peek(n)
		seen, _ := r.Peek(r.Buffered()) // of what is buffered: no error
		switch {
		case c.Expect.Match(seen):
			return nil
		case err != nil:
			return fmt.Errorf("%q is not in the answer: %w", c.Expect.String(), err)
		}
	}
}
