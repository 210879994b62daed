package broker_test

import (
	"encoding/binary"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"thump/broker"
	"thump/broker/amqp"
	"thump/internal/config"
)

// Hostile peers, many of a kind at once. While they are at it an honest client
// publishes and consumes, and afterwards nothing of them is left.

// crowd is how many peers do the same.
const crowd = 20

func TestHostileCrowd(t *testing.T) {
	for name, attack := range map[string]func(*assailant){
		"slow loris":           slowLoris,
		"never logs in":        func(a *assailant) { a.write([]byte(amqp.ProtocolHeader)); a.until(a.over) },
		"garbage":              func(a *assailant) { a.write([]byte(strings.Repeat("\x01\xff garbage", 1000))); a.until(a.over) },
		"endless headers":      endlessHeaders,
		"table bomb":           tableBomb,
		"65,535 channels":      allChannels,
		"half-closed":          halfClosed,
		"never reads":          neverReads,
		"one byte at a time":   oneByteAtATime,
		"publishes, no bodies": manyOpenPublishes,
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(c *broker.Config) { c.HandshakeTimeout = config.Duration(500 * time.Millisecond) })
			honest := s.channel(t)
			queue(t, honest, "honest")
			got := consume(t, honest, "honest")
			var memory runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&memory)
			before, over := memory.HeapAlloc, make(chan struct{})

			var crowded sync.WaitGroup
			for range crowd {
				crowded.Go(func() {
					a := &assailant{over: over, peer: s.peer(t)}
					defer a.peer.conn.Close()
					attack(a)
				})
			}
			for range 100 {
				publish(t, honest, "", "honest", "still served")
				must(t, next(t, got).Ack(false))
				time.Sleep(5 * time.Millisecond) // the attack goes on meanwhile
			}
			runtime.GC()
			runtime.ReadMemStats(&memory)
			if memory.HeapAlloc > before+crowd*16<<20 {
				t.Errorf("the heap has grown by %d MiB", (memory.HeapAlloc-before)>>20)
			}
			close(over)
			crowded.Wait()
			if s.dial(t) == nil {
				t.Error("nobody gets in any more")
			}
		})
	}
}

// assailant is a peer whose attack goes on until over is closed, or until the
// broker has had enough.
type assailant struct {
	*peer
	over chan struct{}
}

// write reports whether the broker still takes anything.
func (a *assailant) write(b []byte) bool {
	_, err := a.conn.Write(b)
	return err == nil
}

func (a *assailant) until(over chan struct{}) { <-over }

// pause waits a moment, and reports whether the attack goes on.
func (a *assailant) pause(d time.Duration) bool {
	select {
	case <-a.over:
		return false
	case <-time.After(d):
		return true
	}
}

// enter logs in, and reads nothing of what it is told.
func (a *assailant) enter() {
	b := []byte(amqp.ProtocolHeader)
	for _, m := range []amqp.Method{
		&amqp.ConnectionStartOk{Mechanism: "PLAIN", Response: "\x00guest\x00guest", Locale: "en_US"},
		&amqp.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072}, &amqp.ConnectionOpen{VirtualHost: "/"},
	} {
		b, _ = amqp.AppendMethodFrame(b, 0, m)
	}
	b, _ = amqp.AppendMethodFrame(b, 1, &amqp.ChannelOpen{})
	a.write(b)
}

func slowLoris(a *assailant) {
	for _, c := range []byte(amqp.ProtocolHeader) {
		if !a.write([]byte{c}) || !a.pause(100*time.Millisecond) {
			return
		}
	}
	a.until(a.over)
}

// endlessHeaders begins one frame after the other that is as long as it may be,
// and a login that never ends.
func endlessHeaders(a *assailant) {
	a.write([]byte(amqp.ProtocolHeader))
	head := binary.BigEndian.AppendUint32([]byte{amqp.FrameMethod, 0, 0}, amqp.FrameMin-amqp.FrameOverhead)
	a.write(append(head, "\x00\x0a\x00\x0b"...))
	for a.write([]byte(strings.Repeat("\x08property", 10))) && a.pause(time.Millisecond) {
	}
}

// tableBomb publishes headers that nest and repeat as deep and wide as fits.
func tableBomb(a *assailant) {
	a.enter()
	deep := ""
	for len(deep) < 20_000 {
		deep = "\x01xF" + string(binary.BigEndian.AppendUint32(nil, uint32(len(deep)))) + deep
	}
	wide := strings.Repeat("\x00V", 50_000)
	for _, table := range []string{deep, wide, "\x01xA" + string(binary.BigEndian.AppendUint32(nil, 60_000)) + strings.Repeat("V", 60_000)} {
		table = string(binary.BigEndian.AppendUint32(nil, uint32(len(table)))) + table
		b, _ := amqp.AppendMethodFrame(nil, 1, &amqp.BasicPublish{RoutingKey: "honest"})
		b = append(b, frame(amqp.FrameHeader, 1, content(60, 0, append([]byte{0x20, 0}, table...)...))...)
		a.write(b)
	}
	a.until(a.over)
}

func allChannels(a *assailant) {
	a.enter()
	var b []byte
	for id := 2; id < 65536; id++ {
		b, _ = amqp.AppendMethodFrame(b, uint16(id), &amqp.ChannelOpen{})
	}
	a.write(b)
	a.until(a.over)
}

// halfClosed says that it has nothing more to say, at several places.
func halfClosed(a *assailant) {
	if a.pause(0) {
		a.enter()
	}
	tcp, _ := a.conn.(*net.TCPConn)
	_ = tcp.CloseWrite()
	a.until(a.over)
}

// neverReads consumes and asks for ever more, and reads nothing.
func neverReads(a *assailant) {
	a.enter()
	b, _ := amqp.AppendMethodFrame(nil, 1, &amqp.QueueDeclare{Exclusive: true})
	b, _ = amqp.AppendMethodFrame(b, 1, &amqp.BasicConsume{NoAck: true})
	a.write(b)
	b = nil
	for range 100 { // each to nobody: it comes back
		b, _ = amqp.AppendMethodFrame(b, 1, &amqp.BasicPublish{RoutingKey: "nobody", Mandatory: true})
		b = amqp.AppendContent(b, 1, amqp.NoProperties[:], make([]byte, 4000), amqp.FrameMin)
	}
	go func() { <-a.over; _ = a.conn.Close() }()
	for a.write(b) {
	}
}

func oneByteAtATime(a *assailant) {
	a.enter()
	b, _ := amqp.AppendMethodFrame(nil, 1, &amqp.BasicQos{PrefetchCount: 1})
	for i := 0; a.write(b[i%len(b):i%len(b)+1]) && a.pause(2*time.Millisecond); i++ {
	}
}

// manyOpenPublishes begins a large message on each channel and sends none of it.
func manyOpenPublishes(a *assailant) {
	a.enter()
	var b []byte
	for id := uint16(1); id < 2000; id++ {
		if id > 1 {
			b, _ = amqp.AppendMethodFrame(b, id, &amqp.ChannelOpen{})
		}
		b, _ = amqp.AppendMethodFrame(b, id, &amqp.BasicPublish{RoutingKey: "honest"})
		b = append(b, frame(amqp.FrameHeader, id, content(60, 16<<20))...)
		b = append(b, frame(amqp.FrameBody, id, "x")...)
	}
	a.write(b)
	a.until(a.over)
}
