package broker

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"thump/broker/amqp"
	"thump/internal/config"
)

// Config is what the broker can be told. DefaultConfig has the defaults.
type Config struct {
	// DataDir is the folder for definitions and messages; it is made if missing.
	DataDir string `yaml:"-"`
	// AMQP lists the addresses to listen on, host:port; port 0 picks a free one.
	// Default 127.0.0.1:5672.
	AMQP []string `yaml:"amqp" flag:"amqp" usage:"addresses to listen on for AMQP"`
	// Management is the address of the management API and of /metrics in RabbitMQ's
	// names, host:port; "": none. Package broker/management serves it. Default
	// 127.0.0.1:15672.
	Management string `yaml:"management" flag:"management" usage:"address of the management API"`
	// AMQPS lists the addresses to listen on for AMQP over TLS. Default none.
	AMQPS []string `yaml:"amqps" flag:"amqps" usage:"addresses to listen on for AMQP over TLS"`
	// TLS names the files of the TLS listeners; they are read again on reload.
	TLS TLS `yaml:"tls"`
	// ClusterName is announced to clients. Default thump.
	ClusterName string `yaml:"cluster_name"`
	// Heartbeat is the interval offered to clients, in whole seconds; a peer that
	// is silent for two intervals is dropped. 0: none. Default 60s.
	Heartbeat config.Duration `yaml:"heartbeat"`
	// FrameMax is the size of the largest frame, at least 8KiB. Default 128KiB.
	FrameMax config.Bytes `yaml:"frame_max"`
	// ChannelMax is the number of channels of one connection. Default 2047.
	ChannelMax int `yaml:"channel_max"`
	// MaxConnections is the number of connections at a time; further ones are
	// closed at once and counted. Default 20000.
	MaxConnections int `yaml:"max_connections"`
	// MaxMessage is the size of the largest message body. Default 16MiB.
	MaxMessage config.Bytes `yaml:"max_message"`
	// MaxUnacked is the number of deliveries that a channel may hold without an
	// ack, whatever its prefetch; the queue waits beyond. Default 200000.
	MaxUnacked int `yaml:"max_unacked"`
	// HandshakeTimeout bounds the time from accept to connection.open. Default 10s.
	HandshakeTimeout config.Duration `yaml:"handshake_timeout"`
	// OutboundHighWater is how much may wait for a connection's socket before
	// queues hold back deliveries to it; one message may exceed it. Default 256KiB.
	OutboundHighWater config.Bytes `yaml:"outbound_high_water"`
	// MemoryBudget is the memory for the bodies of waiting messages of one virtual
	// host; beyond it durable messages wait on disk only. Default 64MiB.
	MemoryBudget config.Bytes `yaml:"memory_budget"`
	// MemoryWatermark is the memory for waiting messages of all virtual hosts from
	// which on publishers are blocked. Default 1GiB.
	MemoryWatermark config.Bytes `yaml:"memory_watermark"`
	// ConsumerTimeout is how long a delivery may stay without an ack before its
	// channel is closed. 0: for ever. Default 30m.
	ConsumerTimeout config.Duration `yaml:"consumer_timeout"`
	// JournalSegment is the size of one file of the message log. Default 64MiB.
	JournalSegment config.Bytes `yaml:"journal_segment"`
}

// DefaultConfig returns the defaults, without a DataDir.
func DefaultConfig() Config {
	return Config{
		AMQP:              []string{"127.0.0.1:5672"},
		Management:        "127.0.0.1:15672",
		ClusterName:       "thump",
		Heartbeat:         config.Duration(60 * time.Second),
		FrameMax:          128 << 10,
		ChannelMax:        2047,
		MaxConnections:    20000,
		MaxMessage:        16 << 20,
		MaxUnacked:        200000,
		HandshakeTimeout:  config.Duration(10 * time.Second),
		OutboundHighWater: 256 << 10,
		MemoryBudget:      64 << 20,
		MemoryWatermark:   1 << 30,
		ConsumerTimeout:   config.Duration(30 * time.Minute),
		JournalSegment:    64 << 20,
	}
}

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	switch {
	case c.DataDir == "":
		return errors.New("broker: no data folder")
	case len(c.AMQP)+len(c.AMQPS) == 0:
		return errors.New("broker: amqp lists no address to listen on")
	case c.Heartbeat < 0 || c.Heartbeat.D() > 65535*time.Second || c.Heartbeat.D()%time.Second != 0:
		return fmt.Errorf("broker: heartbeat %s is not a whole number of seconds up to 65535s", c.Heartbeat)
	case c.FrameMax < amqp.FrameMin || c.FrameMax > 16<<20:
		return fmt.Errorf("broker: frame_max %s is not within 8KiB and 16MiB", c.FrameMax)
	case c.ChannelMax < 1 || c.ChannelMax > 65535:
		return fmt.Errorf("broker: channel_max %d is not within 1 and 65535", c.ChannelMax)
	case c.MaxMessage < 1 || c.MaxMessage > 512<<20:
		return fmt.Errorf("broker: max_message %s is not within 1 byte and 512MiB", c.MaxMessage)
	}
	if err := c.TLS.validate(); err != nil {
		return err
	}
	return c.validateLimits()
}

func (c Config) validateLimits() error {
	for name, value := range map[string]int64{
		"max_connections": int64(c.MaxConnections), "max_unacked": int64(c.MaxUnacked),
		"handshake_timeout": int64(c.HandshakeTimeout), "outbound_high_water": int64(c.OutboundHighWater),
		"memory_watermark": int64(c.MemoryWatermark), "memory_budget": int64(c.MemoryBudget), "journal_segment": int64(c.JournalSegment),
	} {
		if value < 1 {
			return fmt.Errorf("broker: %s must be positive", name)
		}
	}
	return nil
}

func (c Config) heartbeatSeconds() uint16 { return uint16(c.Heartbeat.D() / time.Second) }

func (c Config) definitionsFile() string { return filepath.Join(c.DataDir, "definitions.db") }
