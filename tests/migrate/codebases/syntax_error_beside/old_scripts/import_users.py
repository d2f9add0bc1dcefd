import sys

print "importing", sys.argv[1]
