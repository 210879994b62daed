// Package config fills a component's typed Config from, in this order, a flag,
// an environment variable, the configuration file and the default. A field takes
// part by its tags:
//
//	Retention config.Duration `yaml:"retention" flag:"history-retention" usage:"how long samples are kept"`
//
// The flag is --history-retention, the variable THUMP_HISTORY_RETENTION, the key
// in the file is retention under the component's section.
package config
