// Package templates holds what hosts are to measure: YAML files of a folder,
// matched to hosts and merged into one template for each. A set of files is read
// as a whole or not at all: while a file is bad the last good set stays.
package templates
