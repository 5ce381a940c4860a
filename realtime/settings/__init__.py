"""What the user can set: one table, and values of it from the command line, a file or a page."""

from bgcam.realtime.settings.change import changed, to_json
from bgcam.realtime.settings.info import SettingInfo, setting_infos
from bgcam.realtime.settings.look import look_of
from bgcam.realtime.settings.settings import Settings

__all__ = ["SettingInfo", "Settings", "changed", "look_of", "setting_infos", "to_json"]
