// Package catalogue knows which backups exist, where they are, and what has been shown of them.
package catalogue
