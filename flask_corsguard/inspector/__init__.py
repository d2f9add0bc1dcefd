"""The inspector: pages for the developer about who may read what, and about recent rejections. The
extension refers to it only by name.
"""
