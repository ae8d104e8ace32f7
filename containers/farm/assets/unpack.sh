# Unpacks the packages of the farm, for `.`.
mkdir -p /build/farm/root
for deb in /build/farm/debs/*.deb; do dpkg-deb --extract "$deb" /build/farm/root; done
