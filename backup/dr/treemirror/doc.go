// Package treemirror keeps a copy of a file tree on another site.
package treemirror
