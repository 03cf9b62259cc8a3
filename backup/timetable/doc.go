// Package timetable arranges backup tasks in the windows and links that there are.
package timetable
