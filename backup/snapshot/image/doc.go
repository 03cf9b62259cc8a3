// Package image reads the headers of disk images, for what they need to be read.
package image
